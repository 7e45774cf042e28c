// Runs a generated top function on images from files, in bits: numbers of any width go in and come out whole.
//
// PROJECT_HEADER, TOP and INPUTS (how many of TOP's streams come first and are read) are set when it is compiled.
// bit_bench IMAGES WORDS...: words an image of each stream. Reads in_K.bin, or in_K.f64 with doubles that are cast as
// hls4ml's bridge casts them; writes out_K.bin. A .bin file holds every word as 32-bit pieces, the lowest first.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include PROJECT_HEADER

namespace {

template <class Token> struct Format {
    typedef typename Token::value_type Value;
    static const std::size_t bits = static_cast<std::size_t>(Token::size) * Value::width;
    static const std::size_t pieces = (bits + 31) / 32;
};

[[noreturn]] void fail(const std::string& what) {
    std::fprintf(stderr, "error: %s\n", what.c_str());
    std::exit(3);
}

template <class Number> std::vector<Number> load(std::ifstream& file, std::size_t count, const std::string& name) {
    std::vector<Number> numbers(count);
    file.read(reinterpret_cast<char*>(numbers.data()), static_cast<std::streamsize>(count * sizeof(Number)));
    if (!file || file.peek() != std::ifstream::traits_type::eof()) fail(name + ": another number of values wanted");
    return numbers;
}

template <class Token> std::vector<Token> read_tokens(std::size_t index, std::size_t count) {
    typedef Format<Token> Own;
    std::vector<Token> tokens(count);
    const std::string name = "in_" + std::to_string(index);
    std::ifstream doubles(name + ".f64", std::ios::binary);
    if (doubles) {
        const auto numbers = load<double>(doubles, count * Token::size, name);
        for (std::size_t i = 0; i < numbers.size(); i++)
            tokens[i / Token::size][i % Token::size] = typename Own::Value(numbers[i]);
        return tokens;
    }
    std::ifstream words(name + ".bin", std::ios::binary);
    const auto pieces = load<std::uint32_t>(words, count * Own::pieces, name);
    for (std::size_t at = 0; at < count; at++)
        for (std::size_t bit = 0; bit < Own::bits; bit++)
            tokens[at][bit / Own::Value::width][static_cast<int>(bit % Own::Value::width)] =
                static_cast<bool>(pieces[at * Own::pieces + bit / 32] >> (bit % 32) & 1);
    return tokens;
}

template <class Token> void append(std::vector<std::uint32_t>& pieces, const Token& token) {
    typedef Format<Token> Own;
    const std::size_t start = pieces.size();
    pieces.resize(start + Own::pieces);
    for (std::size_t bit = 0; bit < Own::bits; bit++) {
        typename Own::Value value = token.data[bit / Own::Value::width];
        if (value[static_cast<int>(bit % Own::Value::width)]) pieces[start + bit / 32] |= std::uint32_t(1) << (bit % 32);
    }
}

template <class... Tokens, std::size_t... Index>
void run(void (*top)(hls::stream<Tokens>&...), std::size_t images, const std::vector<std::size_t>& words,
         std::index_sequence<Index...>) {
    if (words.size() != sizeof...(Tokens)) fail("another number of streams wanted");
    std::tuple<hls::stream<Tokens>...> streams;
    const std::tuple<std::vector<Tokens>...> inputs{
        (Index < INPUTS ? read_tokens<Tokens>(Index, images * words[Index]) : std::vector<Tokens>())...};
    std::vector<std::uint32_t> outputs[sizeof...(Tokens)];
    auto feed = [&](auto& stream, const auto& tokens, std::size_t index, std::size_t image) {
        for (std::size_t i = 0; index < INPUTS && i < words[index]; i++) stream.write(tokens[image * words[index] + i]);
    };
    auto drain = [&](auto& stream, std::size_t index) {
        for (std::size_t i = 0; index >= INPUTS && i < words[index]; i++) {
            if (stream.empty()) fail("too few words in stream " + std::to_string(index));
            append(outputs[index], stream.read());
        }
        if (!stream.empty()) fail("words left in stream " + std::to_string(index));
    };
    for (std::size_t image = 0; image < images; image++) {
        (feed(std::get<Index>(streams), std::get<Index>(inputs), Index, image), ...);
        top(std::get<Index>(streams)...);
        (drain(std::get<Index>(streams), Index), ...);
    }
    for (std::size_t index = INPUTS; index < words.size(); index++) {
        std::ofstream file("out_" + std::to_string(index - INPUTS) + ".bin", std::ios::binary);
        file.write(reinterpret_cast<const char*>(outputs[index].data()),
                   static_cast<std::streamsize>(outputs[index].size() * sizeof(std::uint32_t)));
        if (!file) fail("out_" + std::to_string(index - INPUTS) + ".bin cannot be written");
    }
}

template <class... Tokens>
void start(void (*top)(hls::stream<Tokens>&...), std::size_t images, const std::vector<std::size_t>& words) {
    run(top, images, words, std::index_sequence_for<Tokens...>());
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 3) return 2;
    std::vector<std::size_t> words;
    for (int i = 2; i < argc; i++) words.push_back(std::strtoull(argv[i], nullptr, 10));
    start(&TOP, std::strtoull(argv[1], nullptr, 10), words);
    return 0;
}
