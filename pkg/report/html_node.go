package report

import (
	"slices"

	"golang.org/x/net/html"
)

// The page is built as nodes and rendered by x/net/html, which escapes text and
// attributes. html/template would do it too, but it calls methods by name, and
// the linker then keeps every method of every type: 19 MB of this program.

// elem is an element with a class (none when empty) and children; a child that
// is nil is left out.
func elem(tag, class string, children ...*html.Node) *html.Node {
	n := &html.Node{Type: html.ElementNode, Data: tag}
	if class != "" {
		n.Attr = []html.Attribute{{Key: "class", Val: class}}
	}
	return with(n, children...)
}

// with appends children to n.
func with(n *html.Node, children ...*html.Node) *html.Node {
	for _, c := range children {
		if c != nil {
			n.AppendChild(c)
		}
	}
	return n
}

// attr sets attributes, given as key and value in turn.
func attr(n *html.Node, keyValues ...string) *html.Node {
	for kv := range slices.Chunk(keyValues, 2) {
		n.Attr = append(n.Attr, html.Attribute{Key: kv[0], Val: kv[1]})
	}
	return n
}

// words is text; nil when there is none.
func words(s string) *html.Node {
	if s == "" {
		return nil
	}
	return &html.Node{Type: html.TextNode, Data: s}
}

// say is an element that holds text; nil when there is none.
func say(tag, class, s string) *html.Node {
	if s == "" {
		return nil
	}
	return elem(tag, class, words(s))
}

// each is an element with one child for every item; nil when there is none.
func each[T any](tag, class string, items []T, child func(T) *html.Node) *html.Node {
	if len(items) == 0 {
		return nil
	}
	n := elem(tag, class)
	for _, x := range items {
		with(n, child(x))
	}
	return n
}

// tableOf is a table that scrolls by itself where the page is too narrow for it.
func tableOf(class string, head []string, rows []*html.Node) *html.Node {
	return elem("div", "wide", elem("table", class,
		elem("thead", "", each("tr", "", head, func(s string) *html.Node {
			return attr(elem("th", "", words(s)), "scope", "col")
		})),
		elem("tbody", "", rows...)))
}
