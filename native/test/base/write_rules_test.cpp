#include "base/write_rules.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

#include "base/landlock.hpp"
#include "test/check.hpp"

using namespace pinion::base;

namespace {

// What a process is restricted to is for good: each case is a child of its own. 0: as expected; else the line that was
// not.
template <class Body>
int in_child(const Body& body) {
    const pid_t child = fork();
    if (child == 0) _exit(body());
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#define EXPECT(expression) \
    if (!(expression)) return __LINE__

class Folder {
public:
    Folder() {
        char name[] = "/tmp/pinion-write-rules-XXXXXX";
        path = mkdtemp(name);
        mkdir((path + "/in").c_str(), 0700);
        mkdir((path + "/out").c_str(), 0700);
        close(creat((path + "/out/there").c_str(), 0600));
        close(creat((path + "/file").c_str(), 0600));
    }
    ~Folder() {
        const std::string command = "rm -rf '" + path + "'";
        if (std::system(command.c_str()) != 0) FAIL("the folder is not removed");
    }
    std::string path;
};

// 0 or an errno.
int write_to(const std::string& path, int flags = O_WRONLY | O_CREAT) {
    const int fd = open(path.c_str(), flags | O_CLOEXEC, 0600);
    if (fd < 0) return errno;
    close(fd);
    return 0;
}

bool has_landlock() { return landlock::version() > 0; }

}  // namespace

TEST("the rights of each version of the ABI, and no more") {
    CHECK_EQ(landlock::writing(1), 0x1ff2u);
    CHECK_EQ(landlock::writing(2), 0x3ff2u);
    CHECK_EQ(landlock::writing(3), 0x7ff2u);
    CHECK_EQ(landlock::writing(4), 0x7ff2u);
    CHECK_EQ(landlock::writing(5), 0xfff2u);
    CHECK_EQ(landlock::writing(9), 0xfff2u);
}

TEST("writing is refused but where it is allowed, on each thread and in a child") {
    if (!has_landlock()) return CHECK_EQ(restrict_writing({}).abi, 0);
    const Folder folder;
    const std::string& at = folder.path;
    CHECK_EQ(in_child([&] {
                 // Threads of before: one that asks when it is told to.
                 std::atomic<int> asked{0};
                 std::atomic<int> answer{-1};
                 std::thread other([&] {
                     asked.wait(0);
                     answer.store(write_to(at + "/out/new"));
                 });
                 const WriteRestriction done = restrict_writing({{at + "/in", at + "/file"}, {}, {}});
                 EXPECT(done.failed.empty());
                 EXPECT(done.threads == 2);
                 asked.store(1);
                 asked.notify_all();
                 other.join();
                 EXPECT(answer.load() == EACCES);
                 EXPECT(write_to(at + "/out/new") == EACCES);
                 EXPECT(write_to(at + "/out/there") == EACCES);
                 EXPECT(write_to(at + "/out/there", O_RDONLY) == 0);
                 EXPECT(unlink((at + "/out/there").c_str()) != 0 && errno == EACCES);
                 EXPECT(mkdir((at + "/out/d").c_str(), 0700) != 0 && errno == EACCES);
                 EXPECT(mkfifo((at + "/out/f").c_str(), 0600) != 0 && errno == EACCES);
                 EXPECT(symlink("x", (at + "/out/s").c_str()) != 0 && errno == EACCES);
                 EXPECT(rename((at + "/out/there").c_str(), (at + "/out/t").c_str()) != 0 && errno == EACCES);
                 EXPECT(rename((at + "/out/there").c_str(), (at + "/in/t").c_str()) != 0);
                 EXPECT(write_to(at + "/in/new") == 0);
                 EXPECT(write_to(at + "/file") == 0);
                 EXPECT(unlink((at + "/in/new").c_str()) == 0);
                 EXPECT(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
                 return in_child([&] {
                     EXPECT(write_to(at + "/out/new") == EACCES);
                     return 0;
                 });
             }),
             0);
}

TEST("files are truncated and moved between folders only where it is allowed") {
    if (landlock::version() < 3) return CHECK(landlock::version() < 3);
    const Folder folder;
    const std::string& at = folder.path;
    mkdir((at + "/in/a").c_str(), 0700);
    mkdir((at + "/in/b").c_str(), 0700);
    CHECK_EQ(write_to(at + "/in/a/new"), 0);
    CHECK_EQ(in_child([&] {
                 EXPECT(restrict_writing({{at + "/in"}, {}, {}}).failed.empty());
                 EXPECT(truncate((at + "/out/there").c_str(), 0) != 0 && errno == EACCES);
                 EXPECT(truncate((at + "/in/a/new").c_str(), 0) == 0);
                 EXPECT(rename((at + "/in/a/new").c_str(), (at + "/in/b/new").c_str()) == 0);
                 return 0;
             }),
             0);
}

TEST("a folder whose files may be removed is not one that may be written to") {
    if (!has_landlock()) return CHECK_EQ(restrict_writing({}).abi, 0);
    const Folder folder;
    const std::string& at = folder.path;
    CHECK_EQ(in_child([&] {
                 EXPECT(restrict_writing({{}, {at + "/out"}, {}}).failed.empty());
                 EXPECT(write_to(at + "/out/new") == EACCES);
                 EXPECT(unlink((at + "/out/there").c_str()) == 0);
                 return 0;
             }),
             0);
}

TEST("an open file may be opened again, and a pipe always") {
    if (!has_landlock()) return CHECK_EQ(restrict_writing({}).abi, 0);
    const Folder folder;
    const std::string& at = folder.path;
    CHECK_EQ(in_child([&] {
                 const int file = open((at + "/out/there").c_str(), O_WRONLY | O_CLOEXEC);
                 int pipe_ends[2];
                 EXPECT(pipe(pipe_ends) == 0);
                 EXPECT(restrict_writing({{}, {}, {file, pipe_ends[1], 999}}).failed.empty());
                 EXPECT(write_to("/proc/self/fd/" + std::to_string(file), O_WRONLY) == 0);
                 EXPECT(write_to("/proc/self/fd/" + std::to_string(pipe_ends[1]), O_WRONLY) == 0);
                 EXPECT(write_to(at + "/file") == EACCES);
                 return 0;
             }),
             0);
}

TEST("a path that is not there restricts nothing, and is named") {
    if (!has_landlock()) return CHECK_EQ(restrict_writing({}).abi, 0);
    const Folder folder;
    CHECK_EQ(in_child([&] {
                 const WriteRestriction done = restrict_writing({{folder.path + "/none"}, {}, {}});
                 EXPECT(done.failed == folder.path + "/none: No such file or directory");
                 EXPECT(done.threads == 0);
                 EXPECT(write_to(folder.path + "/out/there") == 0);
                 EXPECT(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0);
                 return 0;
             }),
             0);
}

TEST("to try it restricts nobody") {
    const Folder folder;
    CHECK_EQ(in_child([&] {
                 const WriteRestriction tried = try_write_restriction();
                 EXPECT(tried.failed.empty() == has_landlock());
                 EXPECT(tried.abi == (has_landlock() ? landlock::version() : 0));
                 EXPECT(write_to(folder.path + "/out/there") == 0);
                 EXPECT(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0);
                 return 0;
             }),
             0);
}
