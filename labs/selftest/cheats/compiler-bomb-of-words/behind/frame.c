
#define A(x) x x x x x x x x
#define B(x) A(A(A(x)))
#define C(x) B(B(x))
C(char *p = 1 + nothing("a long word that the compiler repeats for each of its complaints");)
