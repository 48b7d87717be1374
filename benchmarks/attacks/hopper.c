/* Changes its pid as fast as it can, each time in a session of its own, for the seconds it is told. */
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int main(int count, char **words) {
    time_t ends = time(NULL) + (count > 1 ? atoi(words[1]) : 1);
    while (time(NULL) < ends) {
        if (fork() > 0)
            _exit(0);
        setsid();
    }
    return 0;
}
