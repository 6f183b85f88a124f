namespace LlmMarketplace.Embedded;

/// <summary>Signals that stop a process, for good or for a while; the values are Linux's.</summary>
public enum ProcessSignal
{
    /// <summary>What Ctrl-C sends; PostgreSQL's fast shutdown.</summary>
    Interrupt = 2,

    /// <summary>PostgreSQL's immediate shutdown.</summary>
    Quit = 3,

    /// <summary>Cannot be caught.</summary>
    Kill = 9,

    /// <summary>The polite request.</summary>
    Terminate = 15,

    /// <summary>SIGCONT: what was paused goes on.</summary>
    Continue = 18,

    /// <summary>SIGSTOP: pauses the process, which cannot catch it.</summary>
    Pause = 19,
}
