//go:build !linux

package main

func processors([]int) processorTime { return processorTime{} }
