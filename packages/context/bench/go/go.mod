module curfew/bench

go 1.22
