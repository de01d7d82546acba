module signalbox.dev/go/signalbox

go 1.24
