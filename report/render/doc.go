// Package render turns a report.Result into what people and machines read:
// report.html, report.md, report.json, junit.xml, and the last screen of a run.
// Every renderer is a pure function of the Result; nothing is measured, judged
// or looked up here.
//
// Every text of a Result may hold what a cluster said, and is hostile until
// tame has made one plain line of it and it went through the escaping of its
// target: html/template for the page and its drawings, escapeMarkdown, and
// encoding/xml.
package render
