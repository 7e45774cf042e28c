// Plays the programs of a random graph on the bounded streams: every write sends the number of the token,
// every read checks that numbers come in order. One graph per run, from standard input:
//   streams; for each: name depth (-1: a port, which is filled before or drained after)
//   processes; for each: name, operations, then per operation: stream number and r or w
#include "hls_stream.h"

int main() {
    bounded::Scheduler &scheduler = bounded::Scheduler::get();
    std::size_t count;
    std::cin >> count;
    std::vector<std::string> names(count);
    std::vector<std::size_t> prefilled(count);
    for (std::size_t i = 0; i < count; i++) {
        long depth;
        std::cin >> names[i] >> depth >> prefilled[i];
        if (depth >= 0)
            scheduler.depths[names[i]] = static_cast<std::size_t>(depth);
    }
    std::vector<std::unique_ptr<hls::stream<std::size_t>>> streams;
    for (std::size_t i = 0; i < count; i++) {
        streams.emplace_back(new hls::stream<std::size_t>(names[i]));
        for (std::size_t k = 0; k < prefilled[i]; k++)
            streams[i]->write(k);
    }
    std::vector<std::size_t> sent(count), received(count);
    bool ordered = true;
    std::cin >> count;
    for (std::size_t p = 0; p < count; p++) {
        std::string name;
        std::size_t length;
        std::cin >> name >> length;
        std::vector<std::pair<std::size_t, char>> operations(length);
        for (auto &operation : operations)
            std::cin >> operation.first >> operation.second;
        scheduler.spawn(name, [&, operations]() {
            for (const auto &operation : operations) {
                const std::size_t i = operation.first;
                if (operation.second == 'w')
                    streams[i]->write(sent[i]++);
                else
                    ordered = streams[i]->read() == received[i]++ && ordered;
            }
        });
    }
    scheduler.run();
    if (scheduler.stuck()) {
        std::cout << "deadlock";
        for (const std::string &one : scheduler.waiting)
            std::cout << " " << one;
    } else {
        std::cout << (ordered ? "finished" : "disordered");
        for (std::size_t i = 0; i < names.size(); i++)
            std::cout << " " << names[i] << ":" << scheduler.peaks[names[i]] << ":" << streams[i]->size();
    }
    std::cout << std::endl;
    _Exit(0);
}
