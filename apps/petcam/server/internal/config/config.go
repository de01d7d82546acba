// Package config reads petcam.yaml. One file serves the three daemons: the server reads the
// sections `common` and `server` strictly, and of `detector` only the zones, to draw them.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"signalbox.dev/petcam/server/internal/events"
	"signalbox.dev/petcam/server/internal/guard"
	"signalbox.dev/petcam/server/internal/history"
)

// Settings is everything the server can be told. Those marked live change with SIGHUP; the others
// with the next start.
type Settings struct {
	Domain   string // restart
	Host     string // restart
	Port     int    // restart
	Token    string // restart
	Insecure bool   // restart
	StateDir string // restart

	LogLevel     slog.Level        // live
	AllowedHosts []string          // live
	Events       events.Options    // live
	History      history.Retention // live
	Zones        []Zone            // live
}

// Zone is a named part of the picture, in fractions of its width and height.
type Zone struct {
	Name   string       `json:"name"`
	Points [][2]float64 `json:"points"`
}

// Defaults are what holds without a file.
func Defaults() Settings {
	return Settings{
		Host: "127.0.0.1", Port: 8088, LogLevel: slog.LevelInfo, Events: events.DefaultOptions(),
		History: history.Retention{Days: 14, Bytes: 64 << 20},
	}
}

// logLevels are the words that all three daemons understand.
var logLevels = map[string]slog.Level{
	"debug": slog.LevelDebug, "info": slog.LevelInfo, "warning": slog.LevelWarn,
	"warn": slog.LevelWarn, "error": slog.LevelError, "off": slog.LevelError + 100,
}

// file is petcam.yaml. Pointers tell "not there" from zero.
type file struct {
	Common   common    `yaml:"common"`
	Server   server    `yaml:"server"`
	Camera   yaml.Node `yaml:"camera"`
	Detector yaml.Node `yaml:"detector"`
}

type common struct {
	Domain   *string `yaml:"domain"`
	LogLevel *string `yaml:"log_level"`
}

type server struct {
	Host         *string     `yaml:"host"`
	Port         *int        `yaml:"port"`
	Token        *string     `yaml:"token"`
	StateDir     *string     `yaml:"state_dir"`
	AllowedHosts []string    `yaml:"allowed_hosts"`
	Events       eventsPart  `yaml:"events"`
	History      historyPart `yaml:"history"`
}

type eventsPart struct {
	MoveFraction *float64 `yaml:"move_fraction"`
	PerSecondMax *float64 `yaml:"per_second_max"`
	EndAfterMs   *int     `yaml:"end_after_ms"`
	SettleMs     *int     `yaml:"settle_ms"`
}

type historyPart struct {
	Days     *int `yaml:"days"`
	BytesMax *int `yaml:"bytes_max"`
}

// Load starts from the defaults, reads the file, if there is one, puts the command line over it
// and checks the result.
func Load(path string, overlay func(*Settings)) (Settings, error) {
	s := Defaults()
	if path != "" {
		text, err := os.ReadFile(path)
		if err != nil {
			return s, fmt.Errorf("cannot read the configuration: %w", err)
		}
		if s, err = parse(text, s); err != nil {
			return s, fmt.Errorf("cannot use the configuration %s: %w", path, err)
		}
	}
	overlay(&s)
	if err := s.check(); err != nil {
		return s, fmt.Errorf("cannot use the settings: %w", err)
	}
	return s, nil
}

// NeedRestart names the settings that are different but cannot change while the server runs.
func NeedRestart(now, next Settings) []string {
	var names []string
	note := func(name string, different bool) {
		if different {
			names = append(names, name)
		}
	}
	note("common.domain", now.Domain != next.Domain)
	note("server.host", now.Host != next.Host)
	note("server.port", now.Port != next.Port)
	note("server.token", now.Token != next.Token)
	note("server.state_dir", now.StateDir != next.StateDir)
	return names
}

func parse(text []byte, s Settings) (Settings, error) {
	var f file
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&f); err != nil && !errors.Is(err, io.EOF) {
		return s, explain(err)
	}
	assign(&s.Domain, f.Common.Domain)
	assign(&s.Host, f.Server.Host)
	assign(&s.Port, f.Server.Port)
	assign(&s.Token, f.Server.Token)
	assign(&s.StateDir, f.Server.StateDir)
	if f.Common.LogLevel != nil {
		level, known := logLevels[*f.Common.LogLevel]
		if !known {
			return s, fmt.Errorf("common.log_level is %q, not one of debug, info, warning, error, off",
				*f.Common.LogLevel)
		}
		s.LogLevel = level
	}
	s.AllowedHosts = f.Server.AllowedHosts
	assign(&s.Events.MoveFraction, f.Server.Events.MoveFraction)
	assign(&s.Events.PerSecondMax, f.Server.Events.PerSecondMax)
	assignMs(&s.Events.EndAfter, f.Server.Events.EndAfterMs)
	assignMs(&s.Events.Settle, f.Server.Events.SettleMs)
	assign(&s.History.Days, f.Server.History.Days)
	if f.Server.History.BytesMax != nil {
		s.History.Bytes = int64(*f.Server.History.BytesMax)
	}
	zones, err := parseZones(&f.Detector)
	if err != nil {
		return s, err
	}
	s.Zones = zones
	return s, nil
}

// check refuses values that cannot work, by name.
func (s *Settings) check() error {
	in := func(name string, value, low, high float64) error {
		if value >= low && value <= high {
			return nil
		}
		return fmt.Errorf("%s is %g, not from %g to %g", name, value, low, high)
	}
	ms := func(d time.Duration) float64 { return float64(d.Milliseconds()) }
	return errors.Join(
		in("server.port", float64(s.Port), 0, 65535),
		in("server.events.move_fraction", s.Events.MoveFraction, 0.001, 1),
		in("server.events.per_second_max", s.Events.PerSecondMax, 0.1, 100),
		in("server.events.end_after_ms", ms(s.Events.EndAfter), 0, 60_000),
		in("server.events.settle_ms", ms(s.Events.Settle), 0, 60_000),
		in("server.history.days", float64(s.History.Days), 1, 3650),
		in("server.history.bytes_max", float64(s.History.Bytes), 64<<10, 1<<40),
		s.checkExposure(),
	)
}

// checkExposure: a pet camera sees the living room.
func (s *Settings) checkExposure() error {
	if s.Token != "" && len(s.Token) < guard.TokenMin {
		return fmt.Errorf("server.token has %d characters, at least %d are needed: "+
			"`openssl rand -hex 16` makes a good one", len(s.Token), guard.TokenMin)
	}
	if guard.IsLoopback(s.Host) || s.Token != "" || s.Insecure {
		return nil
	}
	return fmt.Errorf("server.host is %s, so anybody in the network could watch. Set a token "+
		"(--token or PETCAM_TOKEN), or say --insecure if you want that", s.Host)
}

func assign[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

func assignMs(to *time.Duration, from *int) {
	if from != nil {
		*to = time.Duration(*from) * time.Millisecond
	}
}

// explain turns the library's words for unknown keys into ours.
func explain(err error) error {
	var wrong *yaml.TypeError
	if !errors.As(err, &wrong) {
		return err
	}
	sections := map[string]string{
		"file": "the file", "common": "common", "server": "server",
		"eventsPart": "server.events", "historyPart": "server.history",
	}
	var lines []string
	for _, line := range wrong.Errors {
		if what, kind, found := strings.Cut(line, " not found in type config."); found {
			line = strings.Replace(what, "field ", "unknown key ", 1) + " in " + sections[kind]
		}
		lines = append(lines, line)
	}
	return errors.New(strings.Join(lines, "; "))
}

// parseZones reads detector.zones: a mapping from name to a list of [x, y] from 0 to 1.
func parseZones(detector *yaml.Node) ([]Zone, error) {
	var section struct {
		Zones yaml.Node `yaml:"zones"`
	}
	if detector.Kind == 0 {
		return nil, nil
	}
	if err := detector.Decode(&section); err != nil || section.Zones.Kind != yaml.MappingNode {
		return nil, nil // the detector says what is wrong with its own section
	}
	var zones []Zone
	for i := 0; i+1 < len(section.Zones.Content); i += 2 {
		zone := Zone{Name: section.Zones.Content[i].Value}
		if err := section.Zones.Content[i+1].Decode(&zone.Points); err != nil || !zone.drawable() {
			return nil, fmt.Errorf("detector.zones.%s is no list of at least three [x, y] from 0 to 1",
				zone.Name)
		}
		zones = append(zones, zone)
	}
	return zones, nil
}

func (z Zone) drawable() bool {
	for _, p := range z.Points {
		if !(p[0] >= 0 && p[0] <= 1 && p[1] >= 0 && p[1] <= 1) || math.IsNaN(p[0]+p[1]) {
			return false
		}
	}
	return len(z.Points) >= 3
}
