
extern const char size_bomb[];
const char size_bomb[1UL << 34] = {1};
