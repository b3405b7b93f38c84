# Our curves beside published ones, from the columns of curves.gp and `library`: "here", or who published the curve. A
# colour is an API, a kind of line is a library.
#   gnuplot -e "data='…/charts/chain_published.dat'; x_kind='count'; y_kind='time'; out='x.svg'" plots/published.gp

load 'plots/style.gp'
load 'plots/extent.gp'
eval extent_of('1 == 1')
libraries = ''
stats data using (known(strcol('server')) && strstrt(libraries.' ', ' '.strcol('library').' ') == 0 ? (libraries = libraries.' '.strcol('library')) : '', \
    0) nooutput

set logscale xy
set xrange [from_x : to_x]
set yrange [from_y : to_y]
eval 'set xtics ('.log_tics(x_kind, from_x, to_x).')'
eval 'set ytics ('.log_tics(y_kind, from_y, to_y).')'
eval fd_setsize(from_x, to_x)
stroke(library) = library eq 'here' ? 1 : 1 + position_in(libraries, library)
set dashtype 3 (12, 5)
set dashtype 4 (2, 4)
is(server, library, x) = strcol('server') eq server && strcol('library') eq library ? x : NaN
name(server) = word(label(server)[1:strlen(label(server))], 1)
api(server) = strstrt(name(server), ',') > 0 ? name(server)[1:strstrt(name(server), ',') - 1] : name(server)

plot for [server in drawn] for [library in libraries] data \
        using (is(server, library, column('x'))):'median':'low':'high' \
        with yerrorlines lc rgb colour(server) pt (library eq 'here' ? mark(server) : 0) dt stroke(library) lw 2 ps 0.8 \
        title api(server).', '.library, \
    data using 'x':'median':(api(strcol('server')).', '.strcol('library').': '.text(y_kind, column('median')).' at '.text(x_kind, column('x'))) \
        with labels hypertext point pt (plain ? 0 : 7) ps 1.5 lc rgb '#ff000000' font ',11' notitle
