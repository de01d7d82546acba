package config

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func load(t *testing.T, text string, overlay func(*Settings)) (Settings, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "petcam.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Load(path, overlay)
}

func nothing(*Settings) {}

func TestEveryKeyArrives(t *testing.T) {
	s, err := load(t, `
common: {domain: lab, log_level: warning}
camera: {source: synthetic, anything: goes}
detector:
  type: motion
  zones:
    bowl: [[0.1, 0.2], [0.3, 0.2], [0.3, 0.4]]
server:
  host: 0.0.0.0
  port: 9000
  token: 0123456789abcdef
  state_dir: /var/lib/petcam
  allowed_hosts: [cam.home]
  events: {move_fraction: 0.1, per_second_max: 1, end_after_ms: 700, settle_ms: 0}
  history: {days: 3, bytes_max: 100000}
`, nothing)
	if err != nil {
		t.Fatal(err)
	}
	if s.Domain != "lab" || s.LogLevel != slog.LevelWarn || s.Host != "0.0.0.0" || s.Port != 9000 ||
		s.Token != "0123456789abcdef" || s.StateDir != "/var/lib/petcam" ||
		s.AllowedHosts[0] != "cam.home" || s.Events.MoveFraction != .1 ||
		s.Events.PerSecondMax != 1 || s.Events.EndAfter != 700*time.Millisecond ||
		s.Events.Settle != 0 || s.History.Days != 3 || s.History.Bytes != 100000 {
		t.Errorf("settings %+v", s)
	}
	if len(s.Zones) != 1 || s.Zones[0].Name != "bowl" || s.Zones[0].Points[2] != [2]float64{.3, .4} {
		t.Errorf("zones %+v", s.Zones)
	}
}

func TestCommandLineGoesBeforeTheFile(t *testing.T) {
	s, err := load(t, "server: {port: 9000}", func(s *Settings) { s.Port = 9001 })
	if err != nil || s.Port != 9001 {
		t.Errorf("port %d, %v", s.Port, err)
	}
}

func TestEmptyFileMeansDefaults(t *testing.T) {
	for _, text := range []string{"", "# nothing\n", "server:\n", "common: {}\n"} {
		if s, err := load(t, text, nothing); err != nil || s.Port != Defaults().Port {
			t.Errorf("%q: port %d, %v", text, s.Port, err)
		}
	}
}

func TestWhatIsWrongIsNamed(t *testing.T) {
	for text, want := range map[string]string{
		"server: {prot: 1}":                                   "unknown key prot in server",
		"server: {history: {dyas: 1}}":                        "unknown key dyas in server.history",
		"srever: {}":                                          "unknown key srever in the file",
		"common: {log_level: loud}":                           "common.log_level",
		"server: {port: 70000}":                               "server.port is 70000",
		"server: {port: many}":                                "line 1",
		"server: {events: {move_fraction: .nan}}":             "server.events.move_fraction",
		"server: {history: {days: 0}}":                        "server.history.days",
		"server: {host: 0.0.0.0}":                             "anybody in the network could watch",
		"server: {host: 192.168.1.2}":                         "--insecure",
		"server: {token: short}":                              "at least 16",
		"detector: {zones: {bowl: [[0, 0], [1, 1]]}}":         "detector.zones.bowl",
		"detector: {zones: {bowl: [[0, 0], [1, 1], [2, 0]]}}": "detector.zones.bowl",
		"server: [":                                           "line 1",
	} {
		if _, err := load(t, text, nothing); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	if _, err := Load("/does/not/exist.yaml", nothing); err == nil {
		t.Error("a missing file was not named")
	}
}

func TestInsecureAllowsWhatItSays(t *testing.T) {
	_, err := load(t, "server: {host: 0.0.0.0}", func(s *Settings) { s.Insecure = true })
	if err != nil {
		t.Error(err)
	}
}

func TestSettingsThatNeedARestartAreNamed(t *testing.T) {
	now, next := Defaults(), Defaults()
	next.Port, next.LogLevel = 1, slog.LevelDebug
	if got := NeedRestart(now, next); len(got) != 1 || got[0] != "server.port" {
		t.Errorf("%q, want server.port alone", got)
	}
}
