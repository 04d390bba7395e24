# What comes from outside: liburing (pinion_ring) and Node's headers (pinion_find_node).

# liburing is linked statically: the addon then runs where only the kernel has io_uring, not the distribution.
add_library(pinion_ring INTERFACE)
if(NOT PINION_LIBURING_PREFIX STREQUAL none)
    find_path(PINION_LIBURING_INCLUDE liburing.h HINTS ${PINION_LIBURING_PREFIX}/include)
    find_library(PINION_LIBURING_ARCHIVE NAMES liburing.a HINTS ${PINION_LIBURING_PREFIX}/lib)
endif()
if(PINION_LIBURING_INCLUDE AND PINION_LIBURING_ARCHIVE)
    target_include_directories(pinion_ring SYSTEM INTERFACE ${PINION_LIBURING_INCLUDE})
    target_link_libraries(pinion_ring INTERFACE ${PINION_LIBURING_ARCHIVE})
    target_compile_definitions(pinion_ring INTERFACE PINION_WITH_URING=1)
    message(STATUS "io_uring: ${PINION_LIBURING_ARCHIVE}")
else()
    target_compile_definitions(pinion_ring INTERFACE PINION_WITH_URING=0)
    message(STATUS "io_uring: left out, liburing.a was not found (package liburing-dev); epoll only")
endif()

# Sets PINION_NODE_INCLUDES: Node-API from npm, libuv's header from Node's installation or the distribution.
function(pinion_find_node)
    set(modules ${CMAKE_CURRENT_SOURCE_DIR}/../node_modules)
    foreach(package node-addon-api/napi.h node-api-headers/include/node_api.h)
        if(NOT EXISTS ${modules}/${package})
            message(FATAL_ERROR "node_modules/${package} is missing; run: npm ci")
        endif()
    endforeach()
    set(includes ${modules}/node-addon-api ${modules}/node-api-headers/include)
    # Only uv.h and uv/ are taken from Node's folder: its own node_api.h would shadow that of npm.
    find_path(PINION_UV_INCLUDE uv.h HINTS ${PINION_NODE_PREFIX}/include/node)
    if(NOT PINION_UV_INCLUDE)
        message(FATAL_ERROR "uv.h is neither in ${PINION_NODE_PREFIX}/include/node nor in the system; install libuv1-dev")
    endif()
    set(PINION_NODE_INCLUDES ${includes} ${PINION_UV_INCLUDE} PARENT_SCOPE)
endfunction()
