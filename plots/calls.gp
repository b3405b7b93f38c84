# E5: system calls for one message. Columns: bars.gp.
#   gnuplot -e "data='…/charts/calls.dat'; out='x.svg'" plots/calls.gp

height = 700
load 'plots/style.gp'
eval heading('System calls a message')
set xlabel 'system calls of the server a message'
first_part = 'waits for readiness'
second_part = 'reads, writes, changes of interest'
unit = 1.0
load 'plots/bars.gp'
