package main

import (
	"time"

	"github.com/grafana/jfr-parser/common/attributes"
	"github.com/grafana/jfr-parser/common/types"
	"github.com/grafana/jfr-parser/common/units"
	"github.com/grafana/jfr-parser/parser"
)

// Where DataKit finds no CPU interval it takes this one.
const assumedCPUInterval = 10 * time.Millisecond

// Start times before this one are not believed.
var earliestJVMStart = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

// prefix stands before each metric's name.
const prefix = "prof_jvm_"

// deriveMetrics gives DataKit's metrics from a recording and the times of its event.json.
//
// Values are read with the parser's own attributes, as DataKit reads them, so that a field whose annotation DataKit
// would not understand counts as nothing here too. What each metric is made of was found by trying DataKit itself.
func deriveMetrics(chunks []*parser.Chunk, start, end time.Time) map[string]any {
	recording := recording{chunks}
	seconds := end.Sub(start).Seconds()
	metrics := map[string]any{}

	metrics["cpu_cores"] = recording.cpuTime() / float64(end.Sub(start))
	if jvmStart, ok := recording.jvmStart(); ok {
		metrics["uptime_nanoseconds"] = end.Sub(jvmStart).Nanoseconds()
	}

	var bytes, objects float64
	recording.each("datadog.ObjectSample", func(event *parser.GenericEvent) {
		weight, err := attributes.AllocWeight.GetValue(event)
		if err != nil {
			return
		}
		objects += weight
		if size, ok := amount(event, attributes.AllocSize, units.Byte); ok {
			bytes += float64(size) * weight
		}
	})
	metrics["alloc_bytes_total"] = bytes
	metrics["alloc_bytes_per_sec"] = bytes / seconds
	metrics["allocs_per_sec"] = objects / seconds
	metrics["direct_alloc_bytes_per_sec"] =
		float64(recording.summarise("datadog.DirectAllocationTotal", attributes.Allocated, units.Byte).sum) / seconds

	metrics["class_loads_per_sec"] = float64(recording.count(types.ClassLoaderStatistics)) / seconds
	metrics["compilation_time"] = recording.durations(types.Compilation).sum
	metrics["context_switches_per_sec"] = recording.meanSwitchRate()
	throws := recording.count("datadog.ExceptionSample")
	metrics["throws_total"] = throws
	metrics["throws_per_sec"] = float64(throws) / seconds

	fileRead := recording.transfer(metrics, "file_io", "read", types.FileRead, attributes.BytesRead)
	fileWrite := recording.transfer(metrics, "file_io", "write", types.FileWrite, attributes.BytesWritten)
	metrics["file_io_time"] = fileRead + fileWrite
	recording.transfer(metrics, "socket_io", "read", types.SocketRead, attributes.BytesRead)
	recording.transfer(metrics, "socket_io", "write", types.SocketWrite, attributes.BytesWritten)

	collections := recording.durations(types.GarbageCollection)
	metrics["avg_gc_pause_time"] = collections.mean()
	pauses := recording.durations(types.GcPause)
	metrics["max_gc_pause_time"] = pauses.max
	metrics["gc_pause_time"] = pauses.sum
	metrics["gc_pauses_per_sec"] = float64(recording.count(types.GcPause)) / seconds

	metrics["lifetime_heap_objects"] = recording.count("datadog.HeapLiveObject")
	metrics["lifetime_heap_bytes"] = recording.summarise("datadog.HeapUsage", attributes.Size, units.Byte).first
	locks := recording.durations(types.MonitorEnter)
	metrics["locks_max_wait_time"] = float64(locks.max)
	metrics["locks_per_sec"] = float64(recording.count(types.MonitorEnter)) / seconds
	metrics["threads_created_per_sec"] = float64(recording.count(types.JavaThreadStart)) / seconds
	metrics["threads_deadlocked"] = recording.count("datadog.DeadlockedThread")

	named := map[string]any{}
	for name, value := range metrics {
		named[prefix+name] = value
	}
	return named
}

type recording struct {
	chunks []*parser.Chunk
}

// summary is what DataKit makes of one quantity over the events of one type.
type summary struct {
	sum, max, first, count int64
}

func (s summary) mean() float64 {
	if s.count == 0 {
		return 0
	}
	return float64(s.sum) / float64(s.count)
}

func (r recording) each(name string, visit func(*parser.GenericEvent)) {
	for _, chunk := range r.chunks {
		if collection := chunk.ChunkEvents[name]; collection != nil {
			for _, event := range collection.Events {
				visit(event)
			}
		}
	}
}

func (r recording) count(name string) int64 {
	var count int64
	r.each(name, func(*parser.GenericEvent) { count++ })
	return count
}

func (r recording) summarise(name string, attribute *attributes.Attribute[units.IQuantity], unit *units.Unit) summary {
	var s summary
	r.each(name, func(event *parser.GenericEvent) {
		value, ok := amount(event, attribute, unit)
		if !ok {
			return
		}
		if s.count == 0 {
			s.first = value
		}
		s.count++
		s.sum += value
		s.max = max64(s.max, value)
	})
	return s
}

func (r recording) durations(name string) summary {
	return r.summarise(name, attributes.Duration, units.Nanosecond)
}

// transfer sets the four metrics of one direction of I/O and gives the time spent in it.
func (r recording) transfer(metrics map[string]any, kind, direction, name string, bytes *attributes.Attribute[units.IQuantity]) int64 {
	time := r.durations(name)
	volume := r.summarise(name, bytes, units.Byte)
	metrics[kind+"_max_"+direction+"_time"] = time.max
	metrics[kind+"_"+direction+"_time"] = time.sum
	metrics[kind+"_max_"+direction+"_bytes"] = volume.max
	metrics[kind+"_"+direction+"_bytes"] = volume.sum
	return time.sum
}

// cpuTime gives the CPU time that all samples stand for, in nanoseconds.
func (r recording) cpuTime() float64 {
	interval := int64(0)
	r.each(types.DatadogProfilerConfig, func(event *parser.GenericEvent) {
		if interval > 0 {
			return
		}
		if value, ok := amount(event, attributes.CpuSamplingInterval, units.Nanosecond); ok && value > 0 {
			interval = value
		}
	})
	if interval == 0 {
		interval = int64(assumedCPUInterval)
	}
	var weights int64
	r.each("datadog.ExecutionSample", func(event *parser.GenericEvent) {
		if weight, err := attributes.SampleWeight.GetValue(event); err == nil {
			weights += weight
		}
	})
	return float64(weights) * float64(interval)
}

func (r recording) jvmStart() (time.Time, bool) {
	var start time.Time
	found := false
	r.each(types.VmInfo, func(event *parser.GenericEvent) {
		quantity, err := attributes.JVMStartTime.GetValue(event)
		if found || err != nil {
			return
		}
		if at, err := units.ToTime(quantity); err == nil && at.After(earliestJVMStart) {
			start, found = at, true
		}
	})
	return start, found
}

func (r recording) meanSwitchRate() float64 {
	var sum float64
	count := 0
	r.each(types.ContextSwitchRate, func(event *parser.GenericEvent) {
		if rate, err := attributes.SwitchRate.GetValue(event); err == nil {
			sum += rate
			count++
		}
	})
	if count == 0 {
		return 0
	}
	return sum / float64(count)
}

// amount reads a quantity in a unit; false where the field's annotation does not let it be read, as in DataKit.
func amount(event *parser.GenericEvent, attribute *attributes.Attribute[units.IQuantity], unit *units.Unit) (int64, bool) {
	quantity, err := attribute.GetValue(event)
	if err != nil {
		return 0, false
	}
	converted, err := quantity.In(unit)
	if err != nil {
		return 0, false
	}
	return converted.IntValue(), true
}

func max64(a, b int64) int64 {
	if a > b {
		return a
	}
	return b
}
