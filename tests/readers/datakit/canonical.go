package main

import (
	"fmt"
	"math"
	"math/big"
	"reflect"
	"strings"
	"unsafe"

	"github.com/grafana/jfr-parser/parser"
)

// The annotations that say what a number means.
const (
	timestampAnnotation = "jdk.jfr.Timestamp"
	timespanAnnotation  = "jdk.jfr.Timespan"
)

type object = map[string]any

// canonicalEvent gives an event in the shape of ../README.md. What this parser does not keep is missing in a marked
// way: an array field is {"last": value}, since only its last element is kept.
func canonicalEvent(header *parser.Header, name string, event *parser.GenericEvent) object {
	fields := object{}
	var start any
	for _, field := range event.ClassMetadata.Fields {
		value, known := event.Attributes[field.Name]
		switch {
		case field.Name == "startTime":
			start = timestamp(header, "TICKS", integer(value))
		case !known:
			fields[field.Name] = nil
		case field.Dimension == 1:
			fields[field.Name] = object{"last": canonicalValue(value)}
		default:
			fields[field.Name] = withUnit(header, event.ClassMetadata.ClassMap, field, value)
		}
	}
	return object{"type": name, "startTime": start, "fields": fields}
}

// withUnit gives a time as {"nanos": n}, by the field's annotation.
func withUnit(header *parser.Header, classes parser.ClassMap, field *parser.FieldMetadata, value parser.ParseResolvable) any {
	if _, isLong := value.(*parser.Long); isLong {
		for _, annotation := range field.Annotations {
			switch classes[annotation.ClassID].Name {
			case timestampAnnotation:
				return object{"nanos": timestamp(header, annotation.Values["value"], integer(value))}
			case timespanAnnotation:
				return object{"nanos": timespan(header, annotation.Values["value"], integer(value))}
			}
		}
	}
	return canonicalValue(value)
}

func timestamp(header *parser.Header, unit string, value int64) int64 {
	switch {
	case value == math.MinInt64 || value == math.MaxInt64:
		return value
	case unit == "TICKS":
		return header.StartTimeNanos + scale(value-header.StartTicks, 1_000_000_000, header.TicksPerSecond)
	case unit == "SECONDS_SINCE_EPOCH":
		return scale(value, 1_000_000_000, 1)
	case unit == "MILLISECONDS_SINCE_EPOCH":
		return scale(value, 1_000_000, 1)
	default:
		return value
	}
}

func timespan(header *parser.Header, unit string, value int64) int64 {
	switch {
	case value == math.MinInt64 || value == math.MaxInt64:
		return value
	case unit == "TICKS":
		return scale(value, 1_000_000_000, header.TicksPerSecond)
	case unit == "SECONDS":
		return scale(value, 1_000_000_000, 1)
	case unit == "MILLISECONDS":
		return scale(value, 1_000_000, 1)
	case unit == "MICROSECONDS":
		return scale(value, 1_000, 1)
	default:
		return value
	}
}

// scale gives value × numerator / denominator, cut to the range of int64.
func scale(value, numerator, denominator int64) int64 {
	scaled := new(big.Int).Mul(big.NewInt(value), big.NewInt(numerator))
	scaled.Quo(scaled, big.NewInt(denominator))
	switch {
	case scaled.IsInt64():
		return scaled.Int64()
	case scaled.Sign() < 0:
		return math.MinInt64
	default:
		return math.MaxInt64
	}
}

func integer(value parser.ParseResolvable) int64 {
	if long, ok := value.(*parser.Long); ok {
		return int64(*long)
	}
	return 0
}

func canonicalValue(value parser.ParseResolvable) any {
	switch value := value.(type) {
	case nil:
		return nil
	case *parser.Boolean:
		return bool(*value)
	case *parser.Byte:
		return int64(*value)
	case *parser.Char:
		return int64(*value)
	case *parser.Short:
		return int64(*value)
	case *parser.Int:
		return int64(*value)
	case *parser.Long:
		return int64(*value)
	case *parser.Float:
		return real(float64(*value))
	case *parser.Double:
		return real(float64(*value))
	case *parser.String:
		// A text that lies in a constant pool stays unresolved in an event.
		if !reflect.ValueOf(value).Elem().FieldByName("constantRef").IsNil() {
			return object{"known": "a reference to a text"}
		}
		text, _ := parser.ToString(value)
		return text
	case *parser.Symbol:
		return value.String
	case *parser.Class:
		return className(value)
	case *parser.Thread:
		return object{
			"osName": value.OsName, "osThreadId": value.OsThreadID,
			"javaName": value.JavaName, "javaThreadId": value.JavaThreadID,
			"group": object{"known": "not kept"},
		}
	case *parser.StackTrace:
		return stackTrace(value)
	case *parser.DefaultStructType:
		return unknownStruct(value)
	default:
		return knownStruct(value)
	}
}

// real gives a number, or the name of what JSON has no number for.
func real(value float64) any {
	switch {
	case math.IsNaN(value):
		return "NaN"
	case math.IsInf(value, 1):
		return "Infinity"
	case math.IsInf(value, -1):
		return "-Infinity"
	default:
		return value
	}
}

func className(class *parser.Class) any {
	if class == nil || class.Name == nil {
		return nil
	}
	return strings.ReplaceAll(class.Name.String, "/", ".")
}

func stackTrace(trace *parser.StackTrace) any {
	frames := make([]string, 0, len(trace.Frames))
	for _, frame := range trace.Frames {
		method, kind := "?", "?"
		if frame.Method != nil {
			class := className(frame.Method.Type)
			if class == nil {
				class = "?"
			}
			method = fmt.Sprintf("%s.%s%s", class, symbol(frame.Method.Name), symbol(frame.Method.Descriptor))
		}
		if frame.Type != nil {
			kind = frame.Type.Description
		}
		frames = append(frames, fmt.Sprintf("%s:%d:*:%s", method, frame.LineNumber, kind))
	}
	return object{"truncated": trace.Truncated, "frames": frames}
}

func symbol(symbol *parser.Symbol) string {
	if symbol == nil {
		return "?"
	}
	return symbol.String
}

// knownStruct reads the exported fields of the parser's own types. One with a single text is that text. The others
// compare as {"known": type} only: the parser does not tell the names that their fields have in the file, and it looks
// for some texts under names that the JDK does not use, so that they stay empty.
func knownStruct(value parser.ParseResolvable) any {
	pointer := reflect.ValueOf(value)
	if pointer.Kind() == reflect.Pointer {
		if pointer.IsNil() {
			return nil
		}
		var texts []string
		others := 0
		for i := 0; i < pointer.Elem().NumField(); i++ {
			field := pointer.Elem().Type().Field(i)
			switch {
			case field.Anonymous:
			case field.Type.Kind() == reflect.String:
				texts = append(texts, pointer.Elem().Field(i).String())
			default:
				others++
			}
		}
		if len(texts) == 1 && texts[0] != "" && others == 0 {
			return texts[0]
		}
	}
	return object{"known": fmt.Sprintf("%T", value)}
}

// unknownStruct reads what the parser keeps of a type that it has no name for, in fields that it does not export.
func unknownStruct(value *parser.DefaultStructType) any {
	inside := reflect.ValueOf(value).Elem().FieldByName("fields")
	fields := *(*map[string]parser.ParseResolvable)(unsafe.Pointer(inside.UnsafeAddr()))
	result := object{}
	for name, field := range fields {
		if array, ok := field.(parser.ParseResolvableArray); ok {
			elements := make([]any, 0, len(array))
			for _, element := range array {
				elements = append(elements, canonicalValue(element))
			}
			result[name] = elements
		} else {
			result[name] = canonicalValue(field)
		}
	}
	if len(result) == 1 {
		for _, only := range result {
			if text, ok := only.(string); ok {
				return text
			}
		}
	}
	return result
}
