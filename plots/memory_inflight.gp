# E8: memory for one connection with data under way. Columns: bars.gp.
#   gnuplot -e "data='…/charts/memory_inflight.dat'; out='x.svg'" plots/memory_inflight.gp

load 'plots/style.gp'
eval heading('Memory for a connection with data under way')
set xlabel 'KiB a connection'
first_part = 'the process of the server'
second_part = 'the kernel: both ends, all buffers'
unit = 1024.0
load 'plots/bars.gp'
