module sluice.internal/tests/peers/http1

go 1.19
