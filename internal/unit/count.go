package unit

import "strconv"

// Grouped writes a whole number with its thousands apart: 12,345.
func Grouped[N int | int64 | uint64](n N) string {
	if n < 0 {
		return "-" + grouped(strconv.FormatInt(int64(n), 10)[1:])
	}
	return grouped(strconv.FormatUint(uint64(n), 10))
}

func grouped(digits string) string {
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// Count is Grouped with its noun: 1 trial, 12 trials, 5,000 nodes.
func Count[N int | int64 | uint64](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return Grouped(n) + " " + noun + "s"
}
