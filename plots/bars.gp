# Draws one horizontal bar a line, in two parts, from the columns
#   server position label first second low high runs disturbed
# low and high belong to the end of the bar. A bar with disturbed runs is drawn empty. first_part and second_part name the
# parts, whose lengths are divided by unit.
#   gnuplot -e "data='…/charts/memory_idle.dat'; unit=1024.0; x_label='KiB'; out='x.svg'" plots/bars.gp

load 'plots/style.gp'
if (!exists('first_part')) first_part = 'first'
if (!exists('second_part')) second_part = 'second'
if (!exists('unit')) unit = 1.0

# The label of kqueue says what it is here.
name_in(server, words) = is_kqueue(server) ? kqueue.words[strlen(label_of[number(server)]) + 1:] : words

present = ''
invalid = ''
most = 0
lowest = 0
labels = ''
stats data using (present = present.' '.strcol('server'), \
    column('disturbed') > 0 ? (invalid = invalid.' '.strcol('server')) : '', \
    most = (column('high') > most ? column('high') : most), \
    lowest = column('position'), \
    labels = labels.sprintf('%s"%s" %g', labels eq '' ? '' : ', ', name_in(strcol('server'), strcol('label')), column('position')), \
    0) nooutput

drawn = ''
with_hollow = ''
do for [i=1:words(present)] {
    server = word(present, i)
    if (!strstrt(drawn.' ', ' '.server.' ')) { drawn = drawn.' '.server }
}
do for [i=1:words(invalid)] {
    server = word(invalid, i)
    if (!strstrt(with_hollow.' ', ' '.server.' ')) { with_hollow = with_hollow.' '.server }
}

half = 0.38
set lmargin plain ? 34 : 31
set yrange [lowest + 0.8 : 0.2]
set xrange [0 : most > 0 ? most / unit * 1.12 : 1]
set border 1
if (!plain) set grid noytics
set ytics scale 0 font ',12'
eval 'set ytics ('.labels.')'
end_of(unused) = (column('first') + column('second')) / unit

plot for [server in drawn] data using (0):(only(server, column('position'))):(0):(column('first') / unit): \
        (column('position') - half):(column('position') + half) \
        with boxxyerror lc rgb colour(server) fs solid 1.0 noborder notitle, \
    for [server in drawn] data using (0):(only(server, column('position'))):(column('first') / unit):(end_of(0)): \
        (column('position') - half):(column('position') + half) \
        with boxxyerror lc rgb colour(server) fs solid 0.4 noborder notitle, \
    for [server in with_hollow] data using (0):(hollow(server, column('position'))):(0):(end_of(0)): \
        (column('position') - half):(column('position') + half) \
        with boxxyerror lc rgb '#ffffff' fs solid 1.0 noborder notitle, \
    for [server in with_hollow] data using (0):(hollow(server, column('position'))):(0):(end_of(0)): \
        (column('position') - half):(column('position') + half) \
        with boxxyerror lc rgb colour(server) lw 1.5 fs empty border notitle, \
    data using (end_of(0)):'position':(column('low') / unit):(column('high') / unit) \
        with xerrorbars pt 0 lc rgb '#333333' notitle, \
    data using (column('high') / unit):'position':(sprintf('%.4g', end_of(0))) \
        with labels left offset character 0.6, 0 font ',11' notitle, \
    NaN with boxes lc rgb '#777777' fs solid 1.0 noborder title first_part, \
    NaN with boxes lc rgb '#777777' fs solid 0.4 noborder title second_part
