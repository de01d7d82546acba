package guard

// Goal: who may not watch does not get past the guard, whatever he sends.
// Method: requests as browsers and attackers make them, against a handler that says "inside".

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func none() []string { return nil }

func wrapped(o Options) http.Handler {
	if o.Allowed == nil {
		o.Allowed = none
	}
	if o.NewLink == nil {
		o.NewLink = func(string) {}
	}
	return New(o).Wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("inside"))
	}))
}

// ask makes a request; headers are name, value, name, value.
func ask(handler http.Handler, method, url string, headers ...string) *http.Response {
	request := httptest.NewRequest(method, url, nil)
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			request.Host = headers[i+1]
		} else {
			request.Header.Set(headers[i], headers[i+1])
		}
	}
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	return recorder.Result()
}

func TestHostMustNameThisMachine(t *testing.T) {
	loopback := wrapped(Options{Host: "127.0.0.1"})
	open := wrapped(Options{Host: "0.0.0.0", Allowed: func() []string { return []string{"cam.home"} }})
	for host, want := range map[string][2]int{
		"127.0.0.1:8088":      {200, 200},
		"localhost:8088":      {200, 200},
		"LOCALHOST":           {200, 200},
		"localhost.:8088":     {200, 200},
		"[::1]:8088":          {200, 200},
		"127.8.9.1":           {200, 200},
		"192.168.1.5:8088":    {421, 200}, // an address cannot be rebound
		"cam.home":            {421, 200},
		"Cam.Home:443":        {421, 200},
		"evil.example":        {421, 421},
		"evil.example:8088":   {421, 421},
		"127.0.0.1.evil.com":  {421, 421},
		"localhost.evil.com":  {421, 421},
		"":                    {421, 421},
		"127.0.0.1@evil.com":  {421, 421},
		"cam.home.evil.com:1": {421, 421},
	} {
		for i, handler := range []http.Handler{loopback, open} {
			if got := ask(handler, "GET", "/", "Host", host).StatusCode; got != want[i] {
				t.Errorf("Host %q: %d, want %d (listening %v)", host, got, want[i],
					[]string{"on loopback", "on all addresses"}[i])
			}
		}
	}
}

func TestOtherSitesPagesAreRefused(t *testing.T) {
	handler := wrapped(Options{Host: "127.0.0.1"})
	const host = "127.0.0.1:8088"
	for name, test := range map[string]struct {
		path    string
		headers []string
		want    int
	}{
		"curl":             {"/events", nil, 200},
		"own page":         {"/events", []string{"Origin", "http://" + host}, 200},
		"own page, fetch":  {"/events", []string{"Sec-Fetch-Site", "same-origin"}, 200},
		"typed address":    {"/snapshot.jpg", []string{"Sec-Fetch-Site", "none"}, 200},
		"other site's ws":  {"/ws", []string{"Origin", "https://evil.example"}, 403},
		"other port":       {"/ws", []string{"Origin", "http://127.0.0.1:9999"}, 403},
		"sandboxed iframe": {"/ws", []string{"Origin", "null"}, 403},
		"other site's img": {"/stream.mjpeg", []string{"Sec-Fetch-Site", "cross-site",
			"Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image"}, 403},
		"same site, other port": {"/events", []string{"Sec-Fetch-Site", "same-site",
			"Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty"}, 403},
		"a link to the page": {"/", []string{"Sec-Fetch-Site", "cross-site",
			"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}, 200},
		"the page in a frame": {"/", []string{"Sec-Fetch-Site", "cross-site",
			"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"}, 403},
		"a link to the stream": {"/events", []string{"Sec-Fetch-Site", "cross-site",
			"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}, 403},
	} {
		headers := append([]string{"Host", host}, test.headers...)
		if got := ask(handler, "GET", test.path, headers...).StatusCode; got != test.want {
			t.Errorf("%s: %d, want %d", name, got, test.want)
		}
	}
}

func TestNothingCanBeChanged(t *testing.T) {
	handler := wrapped(Options{Host: "127.0.0.1"})
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "CONNECT", "TRACE"} {
		response := ask(handler, method, "/", "Host", "localhost")
		if response.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("%s: %d, want 405", method, response.StatusCode)
		}
	}
}

const secret = "0123456789abcdef"

func TestTokenByHeader(t *testing.T) {
	handler := wrapped(Options{Host: "0.0.0.0", Token: secret})
	for sent, want := range map[string]int{
		"":                       401,
		"Bearer " + secret:       200,
		"Bearer ":                401,
		"Bearer 0123":            401,
		"Bearer " + secret + "x": 401,
		"Basic " + secret:        401,
		secret:                   401,
	} {
		for _, path := range []string{"/", "/ws", "/events", "/stream.mjpeg", "/metrics"} {
			response := ask(handler, "GET", path, "Host", "10.0.0.1", "Authorization", sent)
			if response.StatusCode != want {
				t.Errorf("%s with %q: %d, want %d", path, sent, response.StatusCode, want)
			}
		}
	}
	if got := ask(handler, "GET", HealthPath, "Host", "10.0.0.1").StatusCode; got != 200 {
		t.Errorf("%s without a token: %d, want 200", HealthPath, got)
	}
}

func TestOneTimeLinkSetsACookieOnce(t *testing.T) {
	var links []string
	handler := wrapped(Options{Host: "0.0.0.0", Token: secret,
		NewLink: func(path string) { links = append(links, path) }})
	if len(links) != 1 {
		t.Fatalf("links %q, want one at the start", links)
	}
	first := links[0]
	if got := ask(handler, "HEAD", first, "Host", "10.0.0.1").StatusCode; got != 403 {
		t.Errorf("a HEAD, as previews send, used the link up: %d", got)
	}
	response := ask(handler, "GET", first, "Host", "10.0.0.1")
	cookies := response.Cookies()
	if response.StatusCode != 303 || len(cookies) != 1 {
		t.Fatalf("the link answers %d with %d cookies, want 303 with one", response.StatusCode,
			len(cookies))
	}
	cookie := cookies[0]
	if !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode ||
		strings.Contains(cookie.Value, secret) {
		t.Errorf("cookie %v, want HttpOnly, SameSite=Strict and not the token itself", cookie)
	}
	pair := cookie.Name + "=" + cookie.Value
	if got := ask(handler, "GET", "/ws", "Host", "10.0.0.1", "Cookie", pair).StatusCode; got != 200 {
		t.Errorf("with the cookie: %d, want 200", got)
	}
	if got := ask(handler, "GET", first, "Host", "10.0.0.1").StatusCode; got != 403 {
		t.Errorf("the link a second time: %d, want 403", got)
	}
	if len(links) != 2 || links[1] == first {
		t.Errorf("links %q, want a new one after the first was used", links)
	}
	restarted := wrapped(Options{Host: "0.0.0.0", Token: secret})
	if got := ask(restarted, "GET", "/", "Host", "10.0.0.1", "Cookie", pair).StatusCode; got != 200 {
		t.Errorf("with the cookie after a restart: %d, want 200", got)
	}
	forged := cookie.Name + "=" + strings.Repeat("A", len(cookie.Value))
	if got := ask(restarted, "GET", "/", "Host", "10.0.0.1", "Cookie", forged).StatusCode; got != 401 {
		t.Errorf("with a forged cookie: %d, want 401", got)
	}
}

func TestHeadersKeepOthersOut(t *testing.T) {
	response := ask(wrapped(Options{Host: "127.0.0.1"}), "GET", "/", "Host", "localhost")
	policy := response.Header.Get("Content-Security-Policy")
	for _, want := range []string{
		"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'",
	} {
		if !strings.Contains(policy, want) {
			t.Errorf("policy %q lacks %s", policy, want)
		}
	}
	if strings.Contains(policy, "unsafe") {
		t.Errorf("policy %q allows something unsafe", policy)
	}
	if got := response.Header.Get("Access-Control-Allow-Origin"); got != "" {
		t.Errorf("other origins are allowed: %q", got)
	}
}

func TestRefusalDoesNotRepeatMarkup(t *testing.T) {
	request := httptest.NewRequest("GET", "/", nil)
	request.Host = "<script>alert(1)</script>"
	recorder := httptest.NewRecorder()
	wrapped(Options{Host: "127.0.0.1"}).ServeHTTP(recorder, request)
	if strings.Contains(recorder.Body.String(), "<script") {
		t.Errorf("answered %q", recorder.Body)
	}
}
