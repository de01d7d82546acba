package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"

	"signalbox.dev/petcam/server/internal/config"
)

// options are the command line; what was given there goes before the file.
type options struct {
	given       *flag.FlagSet
	host        string
	port        int
	configPath  string
	domain      string
	stateDir    string
	token       string
	insecure    bool
	checkConfig bool
	help        bool
}

func parseArguments(arguments []string) (options, error) {
	var o options
	defaults := config.Defaults()
	flags := flag.NewFlagSet("petcam-server", flag.ContinueOnError)
	flags.StringVar(&o.host, "host", defaults.Host, "`address` to listen on")
	flags.IntVar(&o.port, "port", defaults.Port, "`port` to listen on; 0 chooses a free one")
	flags.StringVar(&o.configPath, "config", "", "`file` to read, petcam.yaml")
	flags.StringVar(&o.domain, "domain", "", "Signalbox `domain` of the topics")
	flags.StringVar(&o.stateDir, "state-dir", "",
		"`folder` for what outlives the process: event numbers and history\n"+
			"(default $XDG_RUNTIME_DIR/petcam/<domain> or /tmp/petcam-<uid>/<domain>)")
	flags.StringVar(&o.token, "token", "",
		"`secret` that callers must know; better in $PETCAM_TOKEN, which ps does not show")
	flags.BoolVar(&o.insecure, "insecure", false,
		"allow a host that others can reach without a token")
	flags.BoolVar(&o.checkConfig, "check-config", false, "check the configuration and stop")
	o.given = flags
	switch err := flags.Parse(arguments); {
	case errors.Is(err, flag.ErrHelp):
		o.help = true
		return o, nil
	case err != nil:
		return o, err
	case flags.NArg() > 0:
		return o, fmt.Errorf("%q means nothing here; see --help", strings.Join(flags.Args(), " "))
	}
	return o, nil
}

// settings reads the file anew and puts the command line over it.
func (o options) settings() (config.Settings, error) {
	overlay := func(s *config.Settings) {
		s.Insecure = o.insecure
		if token := os.Getenv("PETCAM_TOKEN"); token != "" {
			s.Token = token
		}
		o.given.Visit(func(f *flag.Flag) {
			switch f.Name {
			case "host":
				s.Host = o.host
			case "port":
				s.Port = o.port
			case "domain":
				s.Domain = o.domain
			case "state-dir":
				s.StateDir = o.stateDir
			case "token":
				s.Token = o.token
			}
		})
	}
	return config.Load(o.configPath, overlay)
}
