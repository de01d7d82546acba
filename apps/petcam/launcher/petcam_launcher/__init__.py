"""The launcher of petcam: three daemons as children, one URL, nothing left behind."""
