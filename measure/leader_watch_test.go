package measure

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/storm-harness/storm/internal/rundir"
)

// said is what a member answers in one step; nil: nothing.
type said struct {
	term, leader uint64
	alarms       []string
}

func TestWhatAShardsMembersSayBecomesEvents(t *testing.T) {
	ids := map[string]uint64{"a": 1, "b": 2, "c": 3}
	noSpace := "memberID:2 alarm:NOSPACE "
	for name, c := range map[string]struct {
		steps []map[string]*said
		want  []string // "kind: text"
	}{
		"a leader is lost and another elected": {
			steps: []map[string]*said{
				{"a": {2, 1, nil}, "b": {2, 1, nil}, "c": {2, 1, nil}},
				{"a": nil},
				{"b": {3, 0, []string{"etcdserver: no leader"}}, "c": {2, 0, nil}},
				{"b": {3, 2, nil}},
				{"c": {3, 2, nil}},
			},
			want: []string{"note: a leads, in term 2", "note: no member that answers leads; the last to lead was a", "leader.change: a → b"},
		},
		"who is cut off goes on in the old term": {
			steps: []map[string]*said{
				{"a": {2, 1, nil}, "b": {2, 1, nil}, "c": {2, 1, nil}},
				{"b": {3, 2, nil}, "c": {3, 2, nil}},
				{"a": {2, 1, nil}},
			},
			want: []string{"note: a leads, in term 2", "leader.change: a → b"},
		},
		"the new leader is silent a moment, and the old one heard": {
			steps: []map[string]*said{
				{"a": {2, 1, nil}, "b": {2, 1, nil}},
				{"b": {3, 2, nil}},
				{"b": nil},
			},
			want: []string{"note: a leads, in term 2", "leader.change: a → b"},
		},
		"hearsay of a leader is not enough": {
			steps: []map[string]*said{{"b": {2, 1, nil}}, {"c": {2, 1, nil}}, {"a": {2, 1, nil}}},
			want:  []string{"note: a leads, in term 2"},
		},
		"followers believe in a dead leader for a while": {
			steps: []map[string]*said{
				{"a": {2, 1, nil}, "b": {2, 1, nil}, "c": {2, 1, nil}},
				{"a": nil},
				{"b": {3, 2, nil}},
			},
			want: []string{"note: a leads, in term 2", "note: no member that answers leads; the last to lead was a", "leader.change: a → b"},
		},
		"the same leader in a later term was elected again": {
			steps: []map[string]*said{{"a": {2, 1, nil}}, {"a": {3, 1, nil}}},
			want:  []string{"note: a leads, in term 2", "leader.change: a again"},
		},
		"all silent, and then as before": {
			steps: []map[string]*said{{"a": {2, 1, nil}}, {"a": nil}, {"a": {2, 1, nil}}},
			want:  []string{"note: a leads, in term 2", "note: no member that answers leads; the last to lead was a", "note: a still leads"},
		},
		"after a restore terms begin anew": {
			steps: []map[string]*said{
				{"a": {9, 1, nil}, "b": {9, 1, nil}, "c": {9, 1, nil}},
				{"a": nil, "b": nil, "c": nil},
				{"a": {2, 2, nil}, "b": {2, 2, nil}, "c": {2, 2, nil}},
			},
			want: []string{"note: a leads, in term 9", "note: no member that answers leads; the last to lead was a", "leader.change: a → b"},
		},
		"an alarm is raised and cleared": {
			steps: []map[string]*said{
				{"a": {2, 1, nil}, "b": {2, 1, nil}},
				{"a": {2, 1, []string{noSpace}}},
				{"b": {2, 1, []string{noSpace}}},
				{"a": {2, 1, nil}},
				{"a": nil, "b": nil}, // not seen is not cleared
				{"b": {2, 1, nil}},
			},
			want: []string{
				"note: a leads, in term 2", "alarm: NOSPACE on b raised",
				"note: no member that answers leads; the last to lead was a", "alarm: NOSPACE on b cleared",
			},
		},
	} {
		v := newShardView()
		v.size = len(ids)
		var got []string
		for i, step := range c.steps {
			now := int64(i+1) * 1000
			for member, s := range step {
				if s == nil {
					delete(v.members, member)
					continue
				}
				v.names[ids[member]] = member
				v.members[member] = memberView{at: now, id: ids[member], term: s.term, leader: s.leader, alarms: s.alarms}
			}
			for _, e := range v.update("main", now, 1_000_000) {
				got = append(got, e.Kind+": "+e.Text)
				if e.Subject != "main" || e.At != now {
					t.Errorf("%s: %+v", name, e)
				}
			}
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
	}
}

func TestAnOldAnswerIsNotBelieved(t *testing.T) {
	v := newShardView()
	v.size = 1
	v.names[1] = "a"
	v.members["a"] = memberView{at: 0, id: 1, term: 2, leader: 1}
	if e := v.update("main", 100, 500); len(e) != 1 {
		t.Fatalf("%+v", e)
	}
	if e := v.update("main", 501, 500); len(e) != 1 || e[0].Kind != rundir.EventNote || !v.lost {
		t.Errorf("an answer of %d ns ago still counts: %+v", 501, e)
	}
}
