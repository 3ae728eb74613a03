module github.com/regrant/regrant

go 1.26.0
