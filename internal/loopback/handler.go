package loopback

import (
	"net/http"
	"strings"
)

// serve answers the two pages that there are: the redirect URI, and one below it
// with the outcome, to which the browser is sent on. So the code is not in the
// URL that the browser shows, and reloading the page does not send it again
// (RFC 6749 section 3.1.2.5).
func (r *Receiver) serve(w http.ResponseWriter, req *http.Request) {
	path := req.URL.EscapedPath()
	switch {
	case !r.isAnnounced(req.Host): // a name that a web page had rebound to this address
		refuse(w, http.StatusMisdirectedRequest)
	case path != r.callbackPath() && path != r.resultPath():
		refuse(w, http.StatusNotFound)
	case req.Method != http.MethodGet:
		w.Header().Set("Allow", http.MethodGet)
		refuse(w, http.StatusMethodNotAllowed)
	case isPrefetch(req.Header): // nobody has gone there yet; when they do, the browser asks again
		refuse(w, http.StatusServiceUnavailable)
	case path == r.resultPath():
		r.serveResult(w, req)
	case !r.isAccepted(req):
		show(w, http.StatusBadRequest, foreign())
	default:
		protect(w.Header())
		w.Header().Set("Location", "http://"+r.redirect.Host+r.resultPath())
		w.WriteHeader(http.StatusSeeOther)
	}
}

// isAccepted hands a callback to Wait. Later ones are not looked at, except that
// the browser may repeat the one that was accepted.
func (r *Receiver) isAccepted(req *http.Request) bool {
	c := callback{req.URL.RawQuery, req.URL.Query(), make(chan bool, 1)}
	select {
	case r.callbacks <- c:
	case <-r.accepted:
		return c.query == r.query
	case <-req.Context().Done():
		return false
	}
	select {
	case ok := <-c.verdict:
		return ok
	case <-req.Context().Done():
		return false
	}
}

// serveResult holds the request until there is an outcome to show.
func (r *Receiver) serveResult(w http.ResponseWriter, req *http.Request) {
	select {
	case <-r.accepted:
	default:
		refuse(w, http.StatusNotFound)
		return
	}
	select {
	case <-r.decided:
	case <-req.Context().Done():
		return
	}
	show(w, http.StatusOK, r.outcome.page())
	if http.NewResponseController(w).Flush() == nil {
		select {
		case r.shown <- struct{}{}:
		default:
		}
	}
}

func (r *Receiver) isAnnounced(host string) bool {
	announced := r.redirect.Host
	// Browsers leave out the port that goes without saying.
	return host == announced || host+":80" == announced
}

// callbackPath is compared as it was sent, without any decoding or cleaning.
func (r *Receiver) callbackPath() string {
	if path := r.redirect.EscapedPath(); path != "" {
		return path
	}
	return "/"
}

func (r *Receiver) resultPath() string {
	return strings.TrimSuffix(r.callbackPath(), "/") + "/result"
}

// isPrefetch tells whether the browser only prepares for what the user may do.
func isPrefetch(h http.Header) bool {
	return strings.Contains(h.Get("Sec-Purpose")+h.Get("Purpose"), "prefetch")
}
