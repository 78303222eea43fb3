/* A JVM agent whose threads end by pthread_exit: glibc then unwinds their stacks, through the frame that jprof has put
   below the start routine. */
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

static void *leave(void *argument) {
  pthread_exit(argument);
}

static void *start_threads(void *argument) {
  pthread_t thread;
  void *result;
  int ended = 0;
  sleep(1); /* jprof watches imports of pthread_create from the JVM's live phase on */
  for (int i = 0; i < 100; i++)
    if (pthread_create(&thread, NULL, leave, &thread) == 0 && pthread_join(thread, &result) == 0 && result == &thread)
      ended++;
  if (ended == 100)
    puts("a hundred threads have unwound");
  fflush(stdout);
  return argument;
}

__attribute__((visibility("default"))) int Agent_OnLoad(void *vm, char *options, void *reserved) {
  pthread_t thread;
  (void)vm, (void)options, (void)reserved;
  return pthread_create(&thread, NULL, start_threads, NULL) != 0 || pthread_detach(thread) != 0;
}
