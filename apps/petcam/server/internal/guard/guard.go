// Package guard decides who may talk to the server. It listens on loopback unless told otherwise,
// yet every web page the user visits can reach loopback, so three things are checked:
//
//   - Host must name this machine, or a page could point its own domain at us (DNS rebinding);
//   - Origin and Sec-Fetch-Site must be ours, or a page could read or open our streams;
//   - with a token, the caller must know it, by header or by the cookie that a one-time link sets.
//
// There is nothing to change through the server at all: only GET and HEAD exist.
package guard

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
)

const (
	cookieName = "petcam"
	// LoginPath takes the key of a one-time link.
	LoginPath = "/login"
	// HealthPath answers without a token: it says only that the process lives.
	HealthPath = "/healthz"
	// TokenMin is the length below which a token could be guessed.
	TokenMin = 16
)

// Guard wraps the server's handler. Safe for several goroutines.
type Guard struct {
	loopback bool // nobody outside this machine can connect
	allowed  func() []string
	token    []byte // empty: none needed
	cookie   string
	newLink  func(key string)

	mu  sync.Mutex
	key string // of the one-time link that is valid now
}

// Options of a guard.
type Options struct {
	Host    string          // the address listened on
	Allowed func() []string // further host names, as a reverse proxy sends them
	Token   string
	// NewLink hears of the path of each new one-time link, one at a time.
	NewLink func(path string)
}

// New makes a guard and, with a token, the first one-time link.
func New(o Options) *Guard {
	g := &Guard{loopback: IsLoopback(o.Host), allowed: o.Allowed, token: []byte(o.Token)}
	if o.Token == "" {
		return g
	}
	// The cookie is as good as the token but does not tell it, and holds across restarts.
	mac := hmac.New(sha256.New, g.token)
	mac.Write([]byte("petcam cookie"))
	g.cookie = base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
	g.newLink = func(key string) { o.NewLink(LoginPath + "?key=" + key) }
	g.key = newKey()
	g.newLink(g.key)
	return g
}

// IsLoopback: only this machine can connect to an address like that.
func IsLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	address, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && address.IsLoopback()
}

// Wrap checks each request before it reaches the handler.
func (g *Guard) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		setHeaders(w.Header())
		switch {
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "only GET and HEAD exist here: nothing can be changed through the web",
				http.StatusMethodNotAllowed)
		case !g.hostAllowed(r.Host):
			http.Error(w, "this server does not answer to the name "+quoteHost(r.Host)+
				". Use localhost or its address, or add the name to server.allowed_hosts",
				http.StatusMisdirectedRequest)
		case !sameOrigin(r):
			http.Error(w, "pages of other sites may not use this server", http.StatusForbidden)
		case r.URL.Path == LoginPath:
			g.login(w, r)
		case r.URL.Path != HealthPath && !g.knowsToken(r):
			w.Header().Set("WWW-Authenticate", `Bearer realm="petcam"`)
			http.Error(w, "a token is needed: open the one-time link that petcam-server printed, "+
				"or send the header \"Authorization: Bearer <token>\"", http.StatusUnauthorized)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func setHeaders(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; "+
		"img-src 'self' blob:; connect-src 'self'; manifest-src 'self'; base-uri 'none'; "+
		"form-action 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
}

// hostAllowed: rebinding needs a name, so addresses are safe; on loopback only loopback ones can
// have been meant.
func (g *Guard) hostAllowed(hostPort string) bool {
	host := hostOnly(hostPort)
	if IsLoopback(host) {
		return true
	}
	named := func(name string) bool { return strings.EqualFold(name, host) }
	if slices.ContainsFunc(g.allowed(), named) {
		return true
	}
	if g.loopback {
		return false
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	own, err := os.Hostname()
	return err == nil && strings.EqualFold(own, host)
}

func hostOnly(hostPort string) string {
	host, _, err := net.SplitHostPort(hostPort)
	if err != nil {
		host = hostPort
	}
	return strings.TrimSuffix(strings.ToLower(strings.Trim(host, "[]")), ".")
}

// quoteHost repeats a name to its sender without trusting it.
func quoteHost(host string) string {
	clean := strings.Map(func(r rune) rune {
		if r < '!' || r > '~' || strings.ContainsRune(`<>&"'`, r) {
			return '?'
		}
		return r
	}, host)
	return `"` + clean[:min(len(clean), 100)] + `"`
}

// sameOrigin refuses what another site's page started. Following a link to the page is fine.
func sameOrigin(r *http.Request) bool {
	if origin := r.Header.Get("Origin"); origin != "" {
		_, host, found := strings.Cut(origin, "://")
		return found && strings.EqualFold(host, r.Host)
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
		return true
	default:
		page := r.URL.Path == "/" || r.URL.Path == LoginPath
		return page && r.Header.Get("Sec-Fetch-Mode") == "navigate" &&
			r.Header.Get("Sec-Fetch-Dest") == "document"
	}
}

func (g *Guard) knowsToken(r *http.Request) bool {
	if len(g.token) == 0 {
		return true
	}
	if token, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); found {
		return same(token, string(g.token))
	}
	cookie, err := r.Cookie(cookieName)
	return err == nil && same(cookie.Value, g.cookie)
}

// same takes as long for any two texts: comparing digests hides the lengths too.
func same(a, b string) bool {
	digestA, digestB := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(digestA[:], digestB[:]) == 1
}

// login turns the key of the one-time link into the cookie and makes the next link.
func (g *Guard) login(w http.ResponseWriter, r *http.Request) {
	if len(g.token) == 0 {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	if r.Method != http.MethodGet || !g.useKey(r.URL.Query().Get("key")) {
		http.Error(w, "this link was used already or is from another run: take the newest one from "+
			"the log of petcam-server", http.StatusForbidden)
		return
	}
	http.SetCookie(w, &http.Cookie{
		Name: cookieName, Value: g.cookie, Path: "/", HttpOnly: true, MaxAge: 90 * 24 * 3600,
		SameSite: http.SameSiteStrictMode, Secure: r.Header.Get("X-Forwarded-Proto") == "https",
	})
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (g *Guard) useKey(key string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !same(key, g.key) {
		return false
	}
	g.key = newKey()
	g.newLink(g.key)
	return true
}

func newKey() string {
	var random [24]byte
	_, _ = rand.Read(random[:]) // it never fails: it would have stopped the process
	return base64.RawURLEncoding.EncodeToString(random[:])
}
