// Runs a design in Verilator: feeds words from files, collects what comes out, counts cycles, and stops when
// all is there or when nothing has moved for a while. The streams are listed in `streams.inc`, which is
// generated: X(name, is_input, words_of_32_bits, words_per_image).
//
// harness IMAGES SEED SOURCE_PERCENT SINK_PERCENT PATIENCE: stalls are drawn anew every cycle for every stream, from SEED.
// Reads in_NAME.bin, writes out_NAME.bin (32-bit words, the lowest first), prints lines "KEY VALUE...".
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "Vdesign.h"
#include "verilated.h"

namespace {

template <class Port> void put(Port& port, const uint32_t* words) {
    uint64_t value = words[0];
    if (sizeof(Port) > 4) value |= static_cast<uint64_t>(words[1]) << 32;
    port = static_cast<Port>(value);
}
template <std::size_t N> void put(VlWide<N>& port, const uint32_t* words) {
    for (std::size_t i = 0; i < N; i++) port[i] = words[i];
}
template <class Port> void get(const Port& port, uint32_t* words) {
    words[0] = static_cast<uint32_t>(port);
    if (sizeof(Port) > 4) words[1] = static_cast<uint32_t>(static_cast<uint64_t>(port) >> 32);
}
template <std::size_t N> void get(const VlWide<N>& port, uint32_t* words) {
    for (std::size_t i = 0; i < N; i++) words[i] = port[i];
}

struct Stream {
    std::string name;
    std::size_t width, per_image, position = 0, total = 0;
    std::vector<uint32_t> words;
    bool offered = false;
    std::vector<uint64_t> image_ends;
};

uint64_t state;
bool draw(unsigned percent) {  // xorshift64*
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (state * 2685821657736338717ULL >> 33) % 100 < percent;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 6) return 2;
    const std::size_t images = std::strtoull(argv[1], nullptr, 10);
    state = std::strtoull(argv[2], nullptr, 10) * 2 + 1;
    const unsigned percents[] = {static_cast<unsigned>(std::atoi(argv[4])), static_cast<unsigned>(std::atoi(argv[3]))};
    const uint64_t patience = std::strtoull(argv[5], nullptr, 10);
    VerilatedContext context;
    context.commandArgs(argc, argv);
    auto top = std::make_unique<Vdesign>(&context);

    std::vector<Stream> streams;
#define X(NAME, IS_INPUT, WIDTH, PER_IMAGE)                                                     \
    {                                                                                           \
        Stream s;                                                                               \
        s.name = #NAME;                                                                         \
        s.width = WIDTH;                                                                        \
        s.per_image = PER_IMAGE;                                                                \
        s.total = images * s.per_image;                                                         \
        s.words.resize(s.total * s.width);                                                      \
        if (IS_INPUT) {                                                                         \
            FILE* file = std::fopen("in_" #NAME ".bin", "rb");                                  \
            if (!file || std::fread(s.words.data(), 4, s.words.size(), file) != s.words.size()) \
                return 3;                                                                       \
            std::fclose(file);                                                                  \
        }                                                                                       \
        streams.push_back(s);                                                                   \
    }
#include "streams.inc"
#undef X

    uint64_t cycle = 0, last_move = 0, first_in = 0, first_out = 0;
    bool started = false, any_out = false;
    top->clk = 0;
    top->rst = 1;
    for (int i = 0; i < 4; i++) {
        top->eval();
        top->clk = !top->clk;
    }
    top->rst = 0;
    bool done = false;
    while (!done && cycle - last_move < patience) {
        std::size_t index = 0;
        // Inputs stay valid once offered; outputs may become ready and unready at will.
#define X(NAME, IS_INPUT, WIDTH, PER_IMAGE)                                                  \
    {                                                                                        \
        Stream& s = streams[index++];                                                        \
        if (s.position == s.total)                                                           \
            s.offered = false;                                                               \
        else if (!(IS_INPUT && s.offered))                                                   \
            s.offered = !(percents[IS_INPUT] && draw(percents[IS_INPUT]));                   \
        SET_##IS_INPUT(NAME)                                                                 \
    }
#define SET_1(NAME)                                                                          \
    top->NAME##_valid = s.offered;                                                           \
    if (s.offered) put(top->NAME##_data, &s.words[s.position * s.width]);
#define SET_0(NAME) top->NAME##_ready = s.offered;
#include "streams.inc"
#undef X
        top->eval();
        index = 0;
        done = true;
#define X(NAME, IS_INPUT, WIDTH, PER_IMAGE)                                                  \
    {                                                                                        \
        Stream& s = streams[index++];                                                        \
        if (top->NAME##_valid && top->NAME##_ready) {                                        \
            last_move = cycle;                                                               \
            TAKE_##IS_INPUT(NAME)                                                            \
            s.position++;                                                                    \
            if (s.position % s.per_image == 0) s.image_ends.push_back(cycle);                \
        }                                                                                    \
        if (!(IS_INPUT) && s.position < s.total) done = false;                               \
    }
#define TAKE_1(NAME)                                                                         \
    if (!started) first_in = cycle;                                                          \
    started = true;                                                                          \
    s.offered = false;
#define TAKE_0(NAME)                                                                         \
    if (!any_out) first_out = cycle;                                                         \
    any_out = true;                                                                          \
    get(top->NAME##_data, &s.words[s.position * s.width]);
#include "streams.inc"
#undef X
        top->clk = 1;
        top->eval();
        top->clk = 0;
        cycle++;
    }
    std::printf("done %d\n", done ? 1 : 0);
    std::printf("cycles %llu\n", static_cast<unsigned long long>(cycle));
    std::printf("first_input %llu\n", static_cast<unsigned long long>(first_in));
    std::printf("first_output %llu\n", static_cast<unsigned long long>(first_out));
    std::size_t index = 0;
#define X(NAME, IS_INPUT, WIDTH, PER_IMAGE)                                                  \
    {                                                                                        \
        const Stream& s = streams[index++];                                                  \
        std::printf("stream " #NAME " %zu", s.position);                                     \
        for (uint64_t end : s.image_ends) std::printf(" %llu", (unsigned long long)end);     \
        std::printf("\n");                                                                   \
        if (!(IS_INPUT)) {                                                                   \
            FILE* file = std::fopen("out_" #NAME ".bin", "wb");                              \
            if (!file) return 3;                                                             \
            std::fwrite(s.words.data(), 4, s.position * s.width, file);                      \
            std::fclose(file);                                                               \
        }                                                                                    \
    }
#include "streams.inc"
#undef X
    std::fflush(stdout);
    top->final();
    return 0;
}
