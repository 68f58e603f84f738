package report_test

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/storm-harness/storm/internal/golden"
	"github.com/storm-harness/storm/report"
)

const schemaFile = "../docs/report.schema.json"

// TestSchema: docs/report.schema.json is what the types and their comments say
// (-update writes it anew), and what Analyse returns is valid by it.
func TestSchema(t *testing.T) {
	said := comments(t, ".", "../internal/rundir")
	s := &schemas{said: said, defs: map[string]any{}}
	root := s.of(reflect.TypeFor[report.Result]())
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	if err := enc.Encode(map[string]any{
		"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "report.json of storm",
		"$comment": "schema " + strconv.Itoa(report.SchemaVersion) + "; made from the types of package report", "$ref": root["$ref"], "$defs": s.defs,
	}); err != nil {
		t.Fatal(err)
	}
	golden.File(t, schemaFile, out.String())

	r, err := report.Analyse(newWorld().write(t))
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	validate := compiled(t)
	if err := validate(data); err != nil {
		t.Errorf("what Analyse returns is not valid: %v", err)
	}
	for what, change := range map[string][2]string{
		"a verdict of no kind": {`"verdict":"`, `"verdict":"un`},
		"a later schema":       {`"schema":1`, `"schema":2`},
		"a field of no type":   {`"exitCode"`, `"exitcode"`},
	} {
		if err := validate([]byte(strings.Replace(string(data), change[0], change[1], 1))); err == nil {
			t.Errorf("%s is valid by the schema", what)
		}
	}
}

func compiled(t *testing.T) func([]byte) error {
	t.Helper()
	text, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	schema := golden.Schema(t, text)
	return func(data []byte) error {
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
		if err != nil {
			return err
		}
		return schema.Validate(v)
	}
}

// schemas makes a JSON Schema of Go types, a definition each.
type schemas struct {
	said map[string]string // comments and constants by their type and field
	defs map[string]any
}

func (s *schemas) of(t reflect.Type) map[string]any {
	switch {
	case t == reflect.TypeFor[report.Number]():
		return map[string]any{"anyOf": []any{map[string]any{"type": []any{"number", "null"}}, map[string]any{"enum": []any{"+Inf", "-Inf"}}}}
	case t == reflect.TypeFor[time.Time]():
		return map[string]any{"type": "string", "format": "date-time"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return s.of(t.Elem())
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Int, reflect.Int64, reflect.Uint64:
		return map[string]any{"type": "integer"}
	case reflect.Float64:
		return map[string]any{"type": "number"}
	case reflect.Slice:
		return map[string]any{"type": "array", "items": s.of(t.Elem())}
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": s.of(t.Elem())}
	case reflect.Struct:
		return s.define(t)
	case reflect.String:
		out := map[string]any{"type": "string"}
		if values := s.said["const "+typeName(t)]; values != "" {
			var list []any
			for v := range strings.SplitSeq(values, "\n") {
				list = append(list, v)
			}
			out["enum"] = list
		}
		return out
	}
	panic("no schema for " + t.String())
}

func (s *schemas) define(t reflect.Type) map[string]any {
	name := typeName(t)
	ref := map[string]any{"$ref": "#/$defs/" + name}
	if s.defs[name] != nil {
		return ref
	}
	properties, required := map[string]any{}, []any{}
	def := map[string]any{"type": "object", "additionalProperties": false, "properties": properties}
	s.defs[name] = def
	if text := s.said[name]; text != "" {
		def["description"] = text
	}
	s.fields(t, properties, &required)
	def["required"] = required
	return ref
}

func (s *schemas) fields(t reflect.Type, properties map[string]any, required *[]any) {
	for f := range t.Fields() {
		if f.Anonymous {
			s.fields(f.Type, properties, required)
			continue
		}
		if !f.IsExported() {
			continue
		}
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		p := s.of(f.Type)
		if text := s.said[typeName(t)+"."+f.Name]; text != "" {
			p["description"] = text
		}
		if t == reflect.TypeFor[report.Result]() && f.Name == "Schema" {
			p["const"] = report.SchemaVersion
		}
		properties[name] = p
		if !strings.Contains(options, "omit") {
			*required = append(*required, name)
		}
	}
}

// typeName is a type with its package: report.Run.
func typeName(t reflect.Type) string { return filepath.Base(t.PkgPath()) + "." + t.Name() }

// comments are what the sources say of each type ("report.Run") and field
// ("report.Run.Seed"), and the values of each type's constants.
func comments(t *testing.T, dirs ...string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, dir := range dirs {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range files {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range f.Decls {
				if g, ok := d.(*ast.GenDecl); ok {
					commentsOf(f.Name.Name, g, out)
				}
			}
		}
	}
	return out
}

func commentsOf(of string, g *ast.GenDecl, out map[string]string) {
	oneLine := func(c *ast.CommentGroup) string { return strings.Join(strings.Fields(c.Text()), " ") }
	for _, spec := range g.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			doc := spec.Doc
			if doc == nil {
				doc = g.Doc
			}
			out[of+"."+spec.Name.Name] = oneLine(doc)
			fields, ok := spec.Type.(*ast.StructType)
			if !ok {
				continue
			}
			for _, f := range fields.Fields.List {
				text := strings.TrimSpace(oneLine(f.Doc) + " " + oneLine(f.Comment))
				for _, n := range f.Names {
					out[of+"."+spec.Name.Name+"."+n.Name] = text
				}
			}
		case *ast.ValueSpec:
			name, ok := spec.Type.(*ast.Ident)
			if !ok || g.Tok != token.CONST {
				continue
			}
			for _, v := range spec.Values {
				if lit, ok := v.(*ast.BasicLit); ok && lit.Kind == token.STRING {
					value, _ := strconv.Unquote(lit.Value) // the parser took it for a string
					key := "const " + of + "." + name.Name
					out[key] = strings.TrimPrefix(out[key]+"\n"+value, "\n")
				}
			}
		}
	}
}
