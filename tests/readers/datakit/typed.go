package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strings"

	"github.com/grafana/jfr-parser/parser"
	"github.com/grafana/jfr-parser/parser/types"
	"github.com/grafana/jfr-parser/parser/types/def"
)

// printTyped reads a recording with the parser by which Grafana Pyroscope makes profiles, which knows the layouts of
// some events and of all that they point to. It gives the samples of the JDK's name and the settings; `*` stands for
// what it skips.
func printTyped(path string) error {
	file, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(os.Stdout)
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	reader := typedReader{parser.NewParser(file, parser.Options{})}
	for {
		kind, err := reader.ParseEvent()
		if errors.Is(err, io.EOF) {
			return out.Flush()
		}
		if err != nil {
			return err
		}
		if event := reader.event(kind); event != nil {
			if err := encoder.Encode(event); err != nil {
				return err
			}
		}
	}
}

type typedReader struct {
	*parser.Parser
}

func (reader typedReader) event(kind def.TypeID) object {
	switch kind {
	case reader.TypeMap.T_EXECUTION_SAMPLE:
		sample := &reader.ExecutionSample
		return object{"type": "jdk.ExecutionSample", "startTime": reader.unixNanos(sample.StartTime), "fields": object{
			"sampledThread": reader.thread(sample.SampledThread),
			"stackTrace":    reader.stackTrace(sample.StackTrace),
			"state":         reader.state(sample.State),
		}}
	case reader.TypeMap.T_ACTIVE_SETTING:
		setting := &reader.ActiveSetting
		return object{"type": "jdk.ActiveSetting", "startTime": reader.unixNanos(setting.StartTime), "fields": object{
			"id": setting.Id, "name": setting.Name, "value": setting.Value,
		}}
	default:
		return nil
	}
}

func (reader typedReader) unixNanos(ticks uint64) int64 {
	header := reader.ChunkHeader()
	if header.TicksPerSecond == 0 || header.TicksPerSecond > math.MaxInt64 {
		return 0
	}
	return int64(header.StartNanos) + scale(int64(ticks-header.StartTicks), 1_000_000_000, int64(header.TicksPerSecond))
}

func (reader typedReader) thread(ref types.ThreadRef) any {
	index, known := reader.Threads.IDMap[ref]
	if !known {
		return nil
	}
	thread := &reader.Threads.Thread[index]
	return object{
		"osName": thread.OsName, "osThreadId": int64(thread.OsThreadId),
		"javaName": thread.JavaName, "javaThreadId": int64(thread.JavaThreadId),
		"group": object{"known": "not kept"},
	}
}

func (reader typedReader) state(ref types.ThreadStateRef) any {
	state := reader.GetThreadState(ref)
	if state == nil {
		return nil
	}
	return state.Name
}

func (reader typedReader) stackTrace(ref types.StackTraceRef) any {
	trace := reader.GetStacktrace(ref)
	if trace == nil {
		return nil
	}
	frames := make([]string, 0, len(trace.Frames))
	for _, frame := range trace.Frames {
		class, name := "?", "?"
		if method := reader.GetMethod(frame.Method); method != nil {
			name = reader.GetSymbolString(method.Name)
			if found := reader.GetClass(method.Type); found != nil {
				class = strings.ReplaceAll(reader.GetSymbolString(found.Name), "/", ".")
			}
		}
		frames = append(frames, fmt.Sprintf("%s.%s(*:%d:*:*", class, name, int32(frame.LineNumber)))
	}
	return object{"truncated": trace.Truncated, "frames": frames}
}
