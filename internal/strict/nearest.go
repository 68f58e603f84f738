package strict

import "strings"

// Nearest returns the candidate that the word was most likely meant to be, by
// the Damerau-Levenshtein distance (optimal string alignment: a swap of
// neighbours counts once) without regard to case. ok is false if none is near:
// more than a third of the longer word would have to change.
func Nearest(word string, candidates []string) (nearest string, ok bool) {
	if len(word) > 64 {
		return "", false
	}
	best := -1
	for _, c := range candidates {
		limit := max(1, max(len(word), len(c))/3)
		d := distance([]rune(strings.ToLower(word)), []rune(strings.ToLower(c)))
		if d <= limit && (best < 0 || d < best) {
			nearest, best = c, d
		}
	}
	return nearest, best >= 0
}

// distance is the optimal string alignment distance of a and b.
func distance(a, b []rune) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

// Suggest is the end of a message about an unknown word: the nearest right one
// if there is one near, else all of them.
func Suggest(word, plural string, candidates []string) string {
	if near, ok := Nearest(word, candidates); ok {
		return "did you mean " + near + "?"
	}
	if len(candidates) == 1 {
		return "there is only " + candidates[0]
	}
	shown := make([]string, len(candidates))
	for i, c := range candidates {
		shown[i] = c
		if c == "" {
			shown[i] = `""`
		}
	}
	return "the " + plural + " are " + strings.Join(shown, ", ")
}
