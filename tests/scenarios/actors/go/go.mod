module signalbox.dev/go/scenario_actor

go 1.24

require signalbox.dev/go/signalbox v0.0.0

replace signalbox.dev/go/signalbox => ../../../../bindings/go
