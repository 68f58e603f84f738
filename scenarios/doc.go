// Package scenarios reads what storm is asked to do: a YAML file, checked
// strictly, with its profiles and the command line's changes merged in by one
// patch engine. A Scenario that loads is right under every profile and in every
// tour; Trial returns what one trial runs. The ready scenarios are in catalog.
package scenarios
