/* The C program's main: chooses between the two forms of exchange.c. */
#include <string.h>

int exchange_double(const char* verb, const char* topic);
int exchange_float(const char* verb, const char* topic);

int main(int count, char** words) {
  if (count < 3) return 2;
  const int changed = count > 3 && strcmp(words[3], "changed") == 0;
  return changed ? exchange_float(words[1], words[2]) : exchange_double(words[1], words[2]);
}
