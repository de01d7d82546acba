// petcam-server streams the pet camera to browsers: live video, and events only when something
// changed. See README.md for its endpoints.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"signalbox.dev/petcam/server/internal/app"
	"signalbox.dev/petcam/server/internal/config"
	"signalbox.dev/petcam/server/internal/guard"
	"signalbox.dev/petcam/server/internal/statedir"
	"signalbox.dev/petcam/server/www"
)

// version is set by the linker in releases.
var version = "development"

// Exit codes, which a launcher may act on.
const (
	exitFailed   = 1
	exitUsage    = 2
	exitConfig   = 3
	exitPortBusy = 5
	exitStateDir = 6
)

const (
	// goodbye is how long clients get to take in that the server stops.
	goodbye = 500 * time.Millisecond
	// sendBuffer bounds how much video can wait inside the kernel for one slow client.
	sendBuffer = 256 << 10
)

func main() { os.Exit(run(os.Args[1:])) }

// run answers the exit code.
func run(arguments []string) int {
	options, err := parseArguments(arguments)
	if err != nil {
		return complain(exitUsage, err)
	}
	if options.help {
		return 0
	}
	settings, err := options.settings()
	if err != nil {
		return complain(exitConfig, err)
	}
	if options.checkConfig {
		fmt.Println("the configuration is good")
		return 0
	}
	level := new(slog.LevelVar)
	level.Set(settings.LogLevel)
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	return serve(options, settings, level, log)
}

func complain(code int, err error) int {
	fmt.Fprintln(os.Stderr, "petcam-server:", err)
	return code
}

func serve(options options, settings config.Settings, level *slog.LevelVar,
	log *slog.Logger) int {
	// A closed log pipe is an error to a write, not the end of the server.
	signal.Ignore(syscall.SIGPIPE)
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	defer signal.Stop(signals)
	// The port first: a second server started by mistake must not touch the first one's state.
	listener, err := listen(settings)
	if err != nil {
		return complain(exitPortBusy, err)
	}
	defer listener.Close()
	state, err := statedir.Open(stateDirOf(settings))
	if err != nil {
		return complain(exitStateDir, err)
	}
	defer state.Close()
	petcam, err := app.New(settings, sources(settings.Domain), state.Path, version, log)
	if err != nil {
		return complain(exitFailed, err)
	}
	address := "http://" + listener.Addr().String()
	fmt.Println(address + "/")
	log.Info("petcam-server listens", "address", address, "state", state.Path, "version", version)
	doorman := guard.New(guard.Options{
		Host: settings.Host, Token: settings.Token,
		Allowed: func() []string { return petcam.Settings().AllowedHosts },
		NewLink: func(path string) { log.Info("one-time link to sign in", "link", address+path) },
	})
	server := newServer(doorman.Wrap(petcam.Handler(www.Handler())), log)
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	left := make(chan struct{})
	go func() {
		petcam.Run(ctx)
		close(left)
	}()
	err = untilStopped(signals, failed, func() { reload(options, petcam, level, log) }, log)
	stop(server, petcam, log)
	// The topics are left before the process ends, or their files wait for the next reaper.
	cancel()
	select {
	case <-left:
	case <-time.After(time.Second):
		log.Warn("leaving the topics takes too long", "after", time.Second)
	}
	if err != nil {
		return complain(exitFailed, err)
	}
	return 0
}

func listen(settings config.Settings) (net.Listener, error) {
	address := net.JoinHostPort(settings.Host, strconv.Itoa(settings.Port))
	listener, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("port %d on %s is in use, perhaps by another petcam-server. Stop "+
			"that program (`ss -ltnp 'sport = :%d'` names it), or choose another port with --port",
			settings.Port, settings.Host, settings.Port)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w. Choose another with --host and --port",
			address, err)
	}
	return listener, nil
}

func stateDirOf(settings config.Settings) string {
	if settings.StateDir != "" {
		return settings.StateDir
	}
	domain := settings.Domain
	if domain == "" && os.Getenv("SIGNALBOX_DIR") == "" {
		domain = os.Getenv("SIGNALBOX_DOMAIN")
	}
	return statedir.Default(domain, os.Getenv("SIGNALBOX_DIR"), os.Getenv("XDG_RUNTIME_DIR"))
}

func newServer(handler http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		ConnContext: func(ctx context.Context, conn net.Conn) context.Context {
			if tcp, ok := conn.(*net.TCPConn); ok {
				_ = tcp.SetWriteBuffer(sendBuffer)
			}
			return ctx
		},
	}
}

// untilStopped returns when a signal asks for it, or why the server cannot go on.
func untilStopped(signals <-chan os.Signal, failed <-chan error, reload func(),
	log *slog.Logger) error {
	for {
		select {
		case err := <-failed:
			return err
		case caught := <-signals:
			if caught != syscall.SIGHUP {
				log.Info("stopping", "signal", caught.String())
				return nil
			}
			reload()
		}
	}
}

// stop tells the clients, lets their streams end, and cuts off those that do not.
func stop(server *http.Server, petcam *app.App, log *slog.Logger) {
	petcam.Close()
	ctx, cancel := context.WithTimeout(context.Background(), goodbye)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		log.Debug("cutting off the clients that are left", "reason", err)
		server.Close()
	}
	petcam.AwaitVideo(ctx)
}

// reload puts the file's new settings in force as a whole, or keeps the old ones as a whole.
func reload(options options, petcam *app.App, level *slog.LevelVar, log *slog.Logger) {
	settings, err := options.settings()
	if err != nil {
		log.Error("the old configuration stays in force", "reason", err)
		return
	}
	if waiting := config.NeedRestart(*petcam.Settings(), settings); len(waiting) > 0 {
		log.Warn("these settings change with the next start only", "settings", waiting)
	}
	level.Set(settings.LogLevel)
	petcam.Reload(settings)
	log.Info("configuration reloaded")
}
