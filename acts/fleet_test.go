package acts

import "testing"

// fleetNamed is no fleet: the tests ask for none of its methods.
type fleetNamed struct {
	Fleet
	name string
}

func TestAFleetIsFoundByItsName(t *testing.T) {
	two := map[string]Fleet{"fleet": fleetNamed{name: "fleet"}, "edge": fleetNamed{name: "edge"}}
	one := map[string]Fleet{"fleet": two["fleet"]}
	for _, c := range []struct {
		fleets    map[string]Fleet
		name, got string
		problem   string
	}{
		{one, "", "fleet", ""},
		{one, "fleet", "fleet", ""},
		{two, "edge", "edge", ""},
		{two, "", "", "there are several fleets: name one of them, such as edge"},
		{two, "flet", "", `there is no fleet "flet": did you mean fleet?`},
		{nil, "fleet", "", "there is no load of simulated nodes"},
	} {
		f, err := (&Env{Fleets: c.fleets}).Fleet(c.name)
		if err != nil && err.Error() != c.problem || err == nil && f.(fleetNamed).name != c.got {
			t.Errorf("%q of %d: %v, %v", c.name, len(c.fleets), f, err)
		}
	}
}

func TestLabelsOfASampleAreRead(t *testing.T) {
	labels := `code="200",resource="pods",verb="WATCH"}`
	if r, v, none := label(labels, "resource"), label(labels, "verb"), label(labels, "scope"); r != "pods" || v != "WATCH" || none != "" {
		t.Errorf("read %q, %q, %q", r, v, none)
	}
}
