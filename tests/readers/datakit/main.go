// Command datakit reads a recording with the parser that DataKit links, and says what DataKit sees in it.
//
//	datakit events FILE             one JSON object per event (the shape: ../README.md)
//	datakit typed FILE              the same of the events that the module's typed parser knows, which is Grafana's
//	datakit metrics FILE START END  the metrics that DataKit derives, START and END in RFC 3339 as event.json has them
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/grafana/jfr-parser/parser"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "datakit:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 2 && args[0] == "events":
		chunks, err := parser.ParseFile(args[1])
		if err != nil {
			return err
		}
		return printEvents(chunks)
	case len(args) == 2 && args[0] == "typed":
		return printTyped(args[1])
	case len(args) == 4 && args[0] == "metrics":
		chunks, err := parser.ParseFile(args[1])
		if err != nil {
			return err
		}
		start, err := time.Parse(time.RFC3339Nano, args[2])
		if err != nil {
			return err
		}
		end, err := time.Parse(time.RFC3339Nano, args[3])
		if err != nil {
			return err
		}
		encoder := json.NewEncoder(os.Stdout)
		encoder.SetIndent("", "  ")
		return encoder.Encode(deriveMetrics(chunks, start, end))
	default:
		return fmt.Errorf("usage: datakit events FILE | datakit typed FILE | datakit metrics FILE START END")
	}
}

func printEvents(chunks []*parser.Chunk) error {
	out := bufio.NewWriter(os.Stdout)
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	for _, chunk := range chunks {
		for name, collection := range chunk.ChunkEvents {
			for _, event := range collection.Events {
				if err := encoder.Encode(canonicalEvent(&chunk.Header, name, event)); err != nil {
					return err
				}
			}
		}
	}
	return out.Flush()
}
