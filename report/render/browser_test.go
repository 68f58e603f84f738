//go:build browser

package render

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	devtools "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/storm-harness/storm/report"
)

// What a developer may look at with own eyes: go test -tags browser -run
// 'TestBrowser$' ./report/render -args -screens DIR [-page report.html].
var (
	screens = flag.String("screens", "", "`folder` for pictures of the page, light and dark, narrow and wide")
	another = flag.String("page", "", "`file` to look at in the place of the tests' own page")
)

// browser starts a Chromium for a test. Without one the test is skipped, but
// not in CI, which is to have one.
func browser(t *testing.T) context.Context {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil && path == "" {
			path = found
		}
	}
	if path == "" && os.Getenv("CI") != "" {
		t.Fatal("there is no chromium: install it, the pages are looked at in a real browser (apt-get install chromium)")
	}
	if path == "" {
		t.Skip("there is no chromium on this machine: the pages are not looked at in a real browser (apt-get install chromium)")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	ctx, stop := chromedp.NewExecAllocator(ctx,
		chromedp.ExecPath(path), chromedp.UserDataDir(profileDir(t)), chromedp.Flag("headless", true), chromedp.NoSandbox, chromedp.NoFirstRun, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.WSURLReadTimeout(time.Minute),
	)
	t.Cleanup(stop)
	ctx, quit := chromedp.NewContext(ctx)
	t.Cleanup(quit)
	return ctx
}

// profileDir is a directory for a browser's profile. Processes of the browser's
// own outlive it for a moment and may still write there, so that it takes more
// than one try to remove it.
func profileDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "storm-browser-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
			err := os.RemoveAll(dir)
			if err == nil {
				return
			}
			if time.Now().After(deadline) {
				t.Error(err)
				return
			}
		}
	})
	return dir
}

// complaints are what a browser said of a page: errors on its console, scripts
// and requests that its policy forbids, dialogs, and requests for anything else
// than the page.
type complaints struct {
	mu   sync.Mutex
	list []string
}

func (c *complaints) add(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = append(c.list, fmt.Sprintf(format, args...))
}

func (c *complaints) listen(ctx context.Context, url string) {
	chromedp.ListenTarget(ctx, func(e any) {
		switch e := e.(type) {
		case *runtime.EventConsoleAPICalled:
			for _, a := range e.Args {
				c.add("console %s: %s%s", e.Type, a.Value, a.Description)
			}
		case *runtime.EventExceptionThrown:
			c.add("exception: %s", e.ExceptionDetails.Error())
		case *log.EventEntryAdded:
			c.add("%s %s: %s", e.Entry.Source, e.Entry.Level, e.Entry.Text)
		case *network.EventRequestWillBeSent:
			if e.Request.URL != url && !strings.HasPrefix(e.Request.URL, "data:") {
				c.add("the page asks for %s", e.Request.URL)
			}
		case *devtools.EventJavascriptDialogOpening:
			c.add("a dialog opens: %s", e.Message)
			go func() { _ = chromedp.Run(ctx, devtools.HandleJavaScriptDialog(true)) }()
		}
	})
}

func (c *complaints) check(t *testing.T) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.list {
		t.Error(s)
	}
	c.list = nil
}

// written writes a page to a file and returns its address.
func written(t *testing.T, html string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "report.html")
	if err := os.WriteFile(path, []byte(html), 0o600); err != nil {
		t.Fatal(err)
	}
	return "file://" + path
}

// visit loads a page at a width, in light or dark.
func visit(url string, width int64, scheme string) chromedp.Action {
	return chromedp.Tasks{
		network.Enable(), log.Enable(), runtime.Enable(), devtools.Enable(),
		emulation.SetDeviceMetricsOverride(width, 900, 1, width < 500),
		emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}),
		chromedp.Navigate(url),
	}
}

// until waits for something to be so. chromedp's own Poll makes a function of a
// text, which the page's policy forbids.
func until(expression string) chromedp.Action {
	return chromedp.ActionFunc(func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
		defer cancel()
		for {
			var is bool
			if err := chromedp.Evaluate(expression, &is).Do(ctx); err != nil || is {
				return err
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("it never came to be that %s", expression)
			case <-time.After(50 * time.Millisecond):
			}
		}
	})
}

// looked is what a page shows of itself, as seen from within.
type looked struct {
	Sections   []string // that the contents name and that are not there, or have no height
	Panels     int      // charts that are not folded away
	Live       int      // of those, drawn by the script
	Blank      []string // charts without a drawn point
	Wide       int      // pixels that the page is wider than the screen
	Cut        []string // headings and cells that are wider than their place
	Background string
	Heat       int
	Dashed     int
}

const look = `(() => {
  const shown = (e) => e.getClientRects().length > 0 && e.getBoundingClientRect().height > 0;
  const out = {sections: [], blank: [], cut: []};
  for (const a of document.querySelectorAll("nav a")) {
    const s = document.querySelector(a.getAttribute("href"));
    if (!s || s.getBoundingClientRect().height < 40) out.sections.push(a.textContent);
  }
  const panels = [...document.querySelectorAll(".panel")].filter(shown);
  out.panels = panels.filter((p) => p.dataset.live).length;
  out.live = panels.filter((p) => p.querySelector(".live canvas")).length;
  for (const p of panels) {
    const c = p.querySelector("canvas"), name = p.querySelector("figcaption").textContent;
    if (c) {
      const px = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
      let n = 0;
      for (let i = 3; i < px.length; i += 4) if (px[i] > 0) n++;
      if (n < 500) out.blank.push(name);
    } else {
      const area = p.querySelector("svg.area");
      if (!shown(area) || ![...area.querySelectorAll("path")].some((x) => x.getBoundingClientRect().width > 0)) out.blank.push(name);
    }
  }
  out.wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  for (const e of document.querySelectorAll("h1,h2,h3,figcaption,.frow b,.gates td")) if (shown(e) && e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== "inline") out.cut.push(e.textContent.slice(0, 60));
  out.background = getComputedStyle(document.body).backgroundColor;
  out.heat = [...document.querySelectorAll(".heat path")].filter(shown).length;
  out.dashed = [...document.querySelectorAll("path.p1.bold")].filter((x) => getComputedStyle(x).strokeDasharray !== "none").length;
  return out;
})()`

// pointed is what the charts show under the cursor, and which are zoomed.
type pointed struct {
	Told, Zoomed int
	Instant      string
}

const point = `(() => {
  const told = [...document.querySelectorAll(".told:not([hidden])")];
  return {told: told.length, instant: told.length ? told[0].querySelector("b").textContent : "", zoomed: document.querySelectorAll(".plot.zoomed").length};
})()`

// TestBrowser looks at the pages in a real browser.
func TestBrowser(t *testing.T) {
	if *another != "" {
		lookedAt(t, "page", "file://"+*another)
		return
	}
	for name, r := range map[string]*report.Result{"quickstart": quickstart(), "troubled": troubled()} {
		t.Run(name, func(t *testing.T) { lookedAt(t, name, written(t, render(t, HTML, r))) })
	}
}

// lookedAt looks at a page in light and dark, narrow and wide: nothing is
// complained of, every section and chart is drawn, and nothing is wider than the
// screen.
func lookedAt(t *testing.T, page, url string) {
	t.Helper()
	ctx := browser(t)
	var c complaints
	c.listen(ctx, url)
	seen := map[string]bool{}
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int64{400, 1280} {
			var got looked
			if err := chromedp.Run(ctx, visit(url, width, scheme), chromedp.Evaluate(look, &got)); err != nil {
				t.Fatal(err)
			}
			name := fmt.Sprintf("%s at %d", scheme, width)
			if len(got.Sections)+len(got.Blank)+len(got.Cut) > 0 {
				t.Errorf("%s: not drawn: sections %q, charts %q; too wide for their place: %q", name, got.Sections, got.Blank, got.Cut)
			}
			if got.Wide > 0 {
				t.Errorf("%s: the page is %d pixels wider than the screen", name, got.Wide)
			}
			if got.Panels < 10 || got.Live != got.Panels {
				t.Errorf("%s: the script drew %d of %d charts", name, got.Live, got.Panels)
			}
			if got.Heat == 0 || got.Dashed == 0 {
				t.Errorf("%s: %d shades of heat maps, %d dashed lines; colour alone must not tell the profiles apart", name, got.Heat, got.Dashed)
			}
			seen[got.Background] = true
			if *screens != "" {
				var picture []byte
				if err := chromedp.Run(ctx, chromedp.FullScreenshot(&picture, 100)); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(*screens, fmt.Sprintf("%s-%s-%d.png", page, scheme, width)), picture, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			c.check(t)
		}
	}
	if len(seen) != 2 {
		t.Errorf("light and dark have the backgrounds %v", seen)
	}
}

// TestBrowserZoom: a drag across one chart zooms all of its group, and the
// button shows all again; the cursor tells the same instant in all.
func TestBrowserZoom(t *testing.T) {
	ctx := browser(t)
	url := written(t, render(t, HTML, quickstart()))
	var c complaints
	c.listen(ctx, url)
	var at struct{ X, Y, Charts float64 }
	const first = `(() => {
  const e = document.querySelector("#timeline .u-over");
  e.scrollIntoView({block: "center", behavior: "instant"});
  const r = e.getBoundingClientRect();
  return {x: r.left + r.width / 4, y: r.top + r.height / 2, charts: document.querySelectorAll("#timeline .u-over").length};
})()`
	var hover, zoom, all pointed
	if err := chromedp.Run(ctx, visit(url, 1280, "light"), chromedp.Evaluate(first, &at)); err != nil {
		t.Fatal(err)
	}
	if err := chromedp.Run(ctx,
		chromedp.MouseEvent("mouseMoved", at.X, at.Y), chromedp.MouseEvent("mouseMoved", at.X+2, at.Y), chromedp.Evaluate(point, &hover),
		chromedp.MouseEvent("mousePressed", at.X, at.Y, chromedp.ButtonLeft), chromedp.MouseEvent("mouseMoved", at.X+80, at.Y, chromedp.ButtonLeft), chromedp.MouseEvent("mouseMoved", at.X+160, at.Y, chromedp.ButtonLeft),
		chromedp.MouseEvent("mouseReleased", at.X+160, at.Y, chromedp.ButtonLeft), until(`document.querySelector(".plot.zoomed") !== null`), chromedp.Evaluate(point, &zoom),
		chromedp.Evaluate(`document.querySelector("#timeline button.all").click()`, nil), until(`document.querySelector(".plot.zoomed") === null`), chromedp.Evaluate(point, &all),
	); err != nil {
		t.Fatal(err)
	}
	n := int(at.Charts)
	// The group begins 8 s before the fault, and the cursor stood at a quarter.
	if !strings.HasPrefix(hover.Instant, "−4.5 s") && !strings.HasPrefix(hover.Instant, "−3.5 s") {
		t.Errorf("a quarter of the way from −8 s to 7 s the cursor tells of %q", hover.Instant)
	}
	if n < 6 || hover.Told != n || zoom.Zoomed != n || all.Zoomed != 0 {
		t.Errorf("of %d charts %d tell the instant under the cursor, %d are zoomed by a drag, and %d after all was asked for", n, hover.Told, zoom.Zoomed, all.Zoomed)
	}
	c.check(t)
}

// TestBrowserWithoutScripts: where scripts are off, and on paper, the drawings
// of the page itself are seen.
func TestBrowserWithoutScripts(t *testing.T) {
	ctx := browser(t)
	url := written(t, render(t, HTML, quickstart()))
	var c complaints
	c.listen(ctx, url)
	var off, paper looked
	var printed []byte
	if err := chromedp.Run(ctx,
		emulation.SetScriptExecutionDisabled(true), visit(url, 1280, "light"), chromedp.Evaluate(look, &off),
		emulation.SetScriptExecutionDisabled(false), visit(url, 1280, "dark"), emulation.SetEmulatedMedia().WithMedia("print"), chromedp.Evaluate(look, &paper),
		chromedp.ActionFunc(func(ctx context.Context) (err error) {
			printed, _, err = devtools.PrintToPDF().WithPrintBackground(true).Do(ctx)
			return err
		}),
	); err != nil {
		t.Fatal(err)
	}
	if off.Live != 0 || off.Panels < 10 || len(off.Blank)+len(off.Sections) > 0 {
		t.Errorf("without scripts: %d of %d charts by script; blank %q, sections %q", off.Live, off.Panels, off.Blank, off.Sections)
	}
	var hidden bool
	if err := chromedp.Run(ctx, chromedp.Evaluate(`[...document.querySelectorAll(".live")].every((e) => e.getClientRects().length === 0) && [...document.querySelectorAll("svg.area")].every((e) => e.getClientRects().length > 0)`, &hidden)); err != nil {
		t.Fatal(err)
	}
	if !hidden || paper.Background != "rgb(255, 255, 255)" || len(printed) < 50_000 {
		t.Errorf("on paper: drawings instead of canvases %v, background %s, %d bytes of PDF", hidden, paper.Background, len(printed))
	}
	c.check(t)
}

// TestBrowserHostile: texts that close what they can and run what they can are
// read by the browser as texts, in the page and in the script's data.
func TestBrowserHostile(t *testing.T) {
	ctx := browser(t)
	for name, html := range map[string]string{"words kept": render(t, HTML, hostile(false)), "everything": render(t, HTML, hostile(true))} {
		t.Run(name, func(t *testing.T) {
			tab, done := chromedp.NewContext(ctx)
			defer done()
			url := written(t, html)
			var c complaints
			c.listen(tab, url)
			var got looked
			var scripts int
			if err := chromedp.Run(tab, visit(url, 1280, "light"), chromedp.Evaluate(look, &got), chromedp.Evaluate(`document.scripts.length`, &scripts)); err != nil {
				t.Fatal(err)
			}
			if scripts != 3 || got.Live != got.Panels || got.Panels == 0 {
				t.Errorf("%d scripts, want 3; %d of %d charts drawn", scripts, got.Live, got.Panels)
			}
			c.check(t)
		})
	}
}
