// Runs a generated top function on images from a file: the common part of both executables of the proof.
//
// Compiled once against the project's own streams (the C simulation), once against bounded ones (-DBOUNDED),
// where every trial is a process of its own, so that no state of one reaches the next.
#ifndef NONRESNET_TESTBENCH_H
#define NONRESNET_TESTBENCH_H

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace testbench {

typedef std::vector<double> Values;

inline Values load(const char *path) {
    std::ifstream file(path, std::ios::binary | std::ios::ate);
    Values values(static_cast<std::size_t>(file.tellg()) / sizeof(double));
    file.seekg(0);
    file.read(reinterpret_cast<char *>(values.data()), static_cast<std::streamsize>(values.size() * sizeof(double)));
    if (!file) {
        std::cerr << path << ": cannot be read" << std::endl;
        std::exit(3);
    }
    return values;
}

inline void save(const std::string &path, const Values &values) {
    std::ofstream file(path.c_str(), std::ios::binary);
    file.write(reinterpret_cast<const char *>(values.data()),
               static_cast<std::streamsize>(values.size() * sizeof(double)));
}

template <typename T> void fill(hls::stream<T> &stream, std::size_t tokens, Values::const_iterator &next) {
    for (std::size_t k = 0; k < tokens; k++) {
        T token;
        for (std::size_t i = 0; i < T::size; i++)
            token[i] = typename T::value_type(*next++);
        stream.write(token);
    }
}

template <typename T> void drain(hls::stream<T> &stream, std::size_t tokens, Values &values) {
    for (std::size_t k = 0; k < tokens; k++) {
        T token = stream.read();
        for (std::size_t i = 0; i < T::size; i++)
            values.push_back(static_cast<double>(token[i]));
    }
}

} // namespace testbench

// Written for each design: one image through the top function; false if it got stuck.
bool run_image(testbench::Values::const_iterator &inputs, testbench::Values &outputs);

#ifndef BOUNDED

// arguments: inputs, outputs, images
int main(int argc, char **argv) {
    (void)argc;
    const testbench::Values inputs = testbench::load(argv[1]);
    testbench::Values outputs;
    testbench::Values::const_iterator next = inputs.begin();
    for (int image = 0; image < std::atoi(argv[3]); image++)
        run_image(next, outputs);
    testbench::save(argv[2], outputs);
    return 0;
}

#else

namespace testbench {

inline std::string trial(const std::vector<std::string> &names, std::istringstream &line, const Values &inputs,
                         const std::string &outputs_path) {
    bounded::Scheduler &scheduler = bounded::Scheduler::get();
    int images, traced;
    line >> images >> traced;
    scheduler.traced = traced != 0;
    for (std::size_t i = 0; i < names.size(); i++)
        line >> scheduler.depths[names[i]];

    Values outputs;
    Values::const_iterator next = inputs.begin();
    for (int image = 0; image < images; image++) {
        if (!run_image(next, outputs)) {
            std::string text = "deadlock";
            for (std::size_t i = 0; i < scheduler.waiting.size(); i++)
                text += " " + scheduler.waiting[i];
            return text;
        }
    }
    std::ostringstream text;
    typedef std::map<std::string, std::size_t>::const_iterator Entry;
    if (!scheduler.leftovers.empty()) {
        text << "leftover";
        for (Entry entry = scheduler.leftovers.begin(); entry != scheduler.leftovers.end(); ++entry)
            text << " " << entry->first << ":" << entry->second;
        return text.str();
    }
    save(outputs_path, outputs);
    text << "finished";
    if (scheduler.traced) {
        for (std::size_t i = 0; i < scheduler.trace.size(); i++)
            text << " " << scheduler.names[scheduler.trace[i].fiber] << ":" << scheduler.trace[i].stream << ":"
                 << (scheduler.trace[i].is_write ? "w" : "r");
    } else {
        for (Entry entry = scheduler.peaks.begin(); entry != scheduler.peaks.end(); ++entry)
            text << " " << entry->first << ":" << entry->second;
    }
    return text.str();
}

} // namespace testbench

// arguments: inputs, trials, results, prefix of outputs, processes at a time
int main(int argc, char **argv) {
    (void)argc;
    const testbench::Values inputs = testbench::load(argv[1]);
    std::ifstream trials(argv[2]);
    std::string text;
    std::getline(trials, text);
    std::istringstream header(text);
    std::vector<std::string> names;
    for (std::string name; header >> name;)
        names.push_back(name);

    // Weights are read once, here; every trial inherits them.
    bounded::Scheduler::get().load_only = true;
    testbench::Values::const_iterator next = inputs.begin();
    testbench::Values nothing;
    run_image(next, nothing);
    bounded::Scheduler::get().load_only = false;
    bounded::Scheduler::get().leftovers.clear(); // nothing ran, so the image is still there

    const int jobs = std::atoi(argv[5]);
    int running = 0, status = 0, failed = 0;
    for (int index = 0; std::getline(trials, text); index++) {
        if (running == jobs) {
            wait(&status);
            failed |= status;
            running--;
        }
        std::ostringstream suffix;
        suffix << "." << index;
        std::cout.flush();
        const pid_t child = fork();
        if (child == 0) {
            std::istringstream line(text);
            const std::string result = testbench::trial(names, line, inputs, argv[4] + suffix.str());
            std::ofstream(std::string(argv[3]) + suffix.str()) << result;
            _exit(0);
        }
        if (child < 0) {
            std::perror("fork");
            return 3;
        }
        running++;
    }
    for (; running > 0; running--) {
        wait(&status);
        failed |= status;
    }
    return failed == 0 ? 0 : 3;
}

#endif
#endif
