module jprof/tests/readers/datakit

go 1.21

require github.com/grafana/jfr-parser v0.8.0

require (
	github.com/GuanceCloud/zipstream v0.1.0 // indirect
	github.com/pierrec/lz4/v4 v4.1.18 // indirect
)

replace github.com/grafana/jfr-parser => github.com/GuanceCloud/jfr-parser v0.8.6
