// A hls::stream that blocks: reading waits while it is empty, writing waits while it is full.
//
// It takes the place of the vendor's C simulation model, whose streams are never full. Every layer function of
// a DATAFLOW region runs as a fiber of one thread; a fiber that must wait hands over to the next one. When no
// fiber can go on, the network is in deadlock: at once, for certain, whatever the timing (a Kahn network with
// bounded channels gets stuck under every schedule or under none).
#ifndef NONRESNET_BOUNDED_HLS_STREAM_H
#define NONRESNET_BOUNDED_HLS_STREAM_H

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <functional>
#include <iostream>
#include <limits>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <sys/mman.h>
#include <ucontext.h>
#include <vector>

namespace bounded {

const std::size_t UNBOUNDED = std::numeric_limits<std::size_t>::max();

class StreamBase;

struct Fiber {
    std::string name;
    std::function<void()> body;
    ucontext_t context;
    void *stack;
    bool done;
    const StreamBase *waits_for;
    bool waits_for_room;
};

struct Operation {
    std::size_t fiber;
    std::string stream;
    bool is_write;
};

class Scheduler {
  public:
    // Depths of the streams by name; a stream that is not listed is never full.
    std::map<std::string, std::size_t> depths;
    // Set: record every read and write of a named stream.
    bool traced = false;
    // Set: the top function returns after it has loaded its weights.
    bool load_only = false;

    // "process:stream:full" or "process:stream:empty" for every fiber that waits in a deadlock.
    std::vector<std::string> waiting;
    std::vector<Operation> trace;
    std::map<std::string, std::size_t> peaks;
    std::map<std::string, std::size_t> leftovers;

    static Scheduler &get() {
        static Scheduler scheduler;
        return scheduler;
    }

    void spawn(const std::string &name, const std::function<void()> &body) {
        std::unique_ptr<Fiber> fiber(new Fiber());
        fiber->name = name;
        fiber->body = body;
        fiber->done = false;
        fiber->waits_for = nullptr;
        fibers.push_back(std::move(fiber));
    }

    // Run all spawned fibers to their end, or until none can go on.
    void run();

    bool stuck() const { return !waiting.empty(); }
    void wait(const StreamBase *stream, bool for_room) {
        Fiber &fiber = *fibers[current];
        fiber.waits_for = stream;
        fiber.waits_for_room = for_room;
        swapcontext(&fiber.context, &home);
        fiber.waits_for = nullptr;
    }

    bool in_fiber() const { return running; }

    void record(const std::string &stream, bool is_write) {
        if (traced && running)
            trace.push_back(Operation{current, stream, is_write});
    }

    // Names of the fibers of the last run that ended, by the number that `trace` holds.
    std::vector<std::string> names;

  private:
    static const std::size_t STACK_BYTES = std::size_t(64) << 20; // reserved, not committed

    std::vector<std::unique_ptr<Fiber>> fibers;
    std::size_t current = 0;
    ucontext_t home;
    bool running = false;

    static void enter() {
        Scheduler &scheduler = get();
        Fiber &fiber = *scheduler.fibers[scheduler.current];
        fiber.body();
        fiber.done = true;
        swapcontext(&fiber.context, &scheduler.home);
    }

    static bool ready(const Fiber &fiber);
};

class StreamBase {
  public:
    std::string name; // "" for streams inside a layer function
    std::size_t depth;

    explicit StreamBase(const std::string &given) : name(given), depth(UNBOUNDED) {
        std::map<std::string, std::size_t>::const_iterator found = Scheduler::get().depths.find(given);
        if (found != Scheduler::get().depths.end())
            depth = found->second;
    }
    virtual ~StreamBase() {}
    virtual std::size_t level() const = 0;
};

inline bool Scheduler::ready(const Fiber &fiber) {
    if (fiber.done)
        return false;
    if (fiber.waits_for == nullptr)
        return true;
    return fiber.waits_for_room ? fiber.waits_for->level() < fiber.waits_for->depth : fiber.waits_for->level() > 0;
}

inline void Scheduler::run() {
    for (std::size_t i = 0; i < fibers.size(); i++) {
        Fiber &fiber = *fibers[i];
        fiber.stack = mmap(nullptr, STACK_BYTES, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
        if (fiber.stack == MAP_FAILED) {
            std::perror("mmap of a fiber's stack");
            std::exit(3);
        }
        getcontext(&fiber.context);
        fiber.context.uc_stack.ss_sp = fiber.stack;
        fiber.context.uc_stack.ss_size = STACK_BYTES;
        fiber.context.uc_link = nullptr;
        makecontext(&fiber.context, &Scheduler::enter, 0);
    }
    running = true;
    bool moved = true;
    while (moved) {
        moved = false;
        for (current = 0; current < fibers.size(); current++) {
            if (ready(*fibers[current])) {
                moved = true;
                swapcontext(&home, &fibers[current]->context);
            }
        }
    }
    running = false;
    waiting.clear();
    for (std::size_t i = 0; i < fibers.size(); i++) {
        const Fiber &fiber = *fibers[i];
        if (!fiber.done)
            waiting.push_back(fiber.name + ":" + fiber.waits_for->name + ":" +
                              (fiber.waits_for_room ? "full" : "empty"));
    }
    if (stuck())
        return; // the fibers keep their stacks: they can neither go on nor be undone
    for (std::size_t i = 0; i < fibers.size(); i++)
        munmap(fibers[i]->stack, STACK_BYTES);
    names.clear();
    for (std::size_t i = 0; i < fibers.size(); i++)
        names.push_back(fibers[i]->name);
    fibers.clear();
}

} // namespace bounded

namespace hls {

template <typename T, int DEPTH = 0> class stream : public bounded::StreamBase {
  public:
    stream() : bounded::StreamBase("") {}
    explicit stream(const std::string &given) : bounded::StreamBase(given) {}
    stream(const stream &) = delete;
    stream &operator=(const stream &) = delete;

    ~stream() {
        bounded::Scheduler &scheduler = bounded::Scheduler::get();
        if (!name.empty() && !data.empty())
            scheduler.leftovers[name] = data.size();
    }

    std::size_t level() const override { return data.size(); }
    std::size_t size() const { return data.size(); }
    bool empty() const { return data.empty(); }
    bool full() const { return data.size() >= depth; }

    T read() {
        bounded::Scheduler &scheduler = bounded::Scheduler::get();
        while (data.empty()) {
            if (!scheduler.in_fiber()) {
                std::cerr << "stream " << name << " is read while empty" << std::endl;
                std::exit(3);
            }
            scheduler.wait(this, false);
        }
        T token = data.front();
        data.pop_front();
        if (!name.empty())
            scheduler.record(name, false);
        return token;
    }
    void read(T &token) { token = read(); }
    void operator>>(T &token) { token = read(); }

    void write(const T &token) {
        bounded::Scheduler &scheduler = bounded::Scheduler::get();
        while (data.size() >= depth) {
            if (!scheduler.in_fiber()) {
                std::cerr << "stream " << name << " is written while full" << std::endl;
                std::exit(3);
            }
            scheduler.wait(this, true);
        }
        data.push_back(token);
        if (!name.empty()) {
            std::size_t &peak = scheduler.peaks[name];
            peak = data.size() > peak ? data.size() : peak;
            scheduler.record(name, true);
        }
    }
    void operator<<(const T &token) { write(token); }

    bool read_nb(T &token) {
        if (data.empty())
            return false;
        token = read();
        return true;
    }
    bool write_nb(const T &token) {
        if (full())
            return false;
        write(token);
        return true;
    }

  private:
    std::deque<T> data;
};

} // namespace hls

#endif
