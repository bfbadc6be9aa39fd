module kaizen-embed

go 1.19
