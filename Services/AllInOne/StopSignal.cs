using System.Runtime.InteropServices;

namespace LlmMarketplace.AllInOne;

/// <summary>Ctrl-C, SIGTERM and a closed terminal ask us to stop; a second one is obeyed at once.</summary>
internal sealed class StopSignal : IDisposable
{
    private const int Impatient = 130;
    private readonly CancellationTokenSource asked = new();
    private readonly PosixSignalRegistration[] registrations;

    public StopSignal() => registrations =
    [
        PosixSignalRegistration.Create(PosixSignal.SIGINT, Receive),
        PosixSignalRegistration.Create(PosixSignal.SIGTERM, Receive),
        PosixSignalRegistration.Create(PosixSignal.SIGHUP, Receive),
    ];

    public CancellationToken Token => asked.Token;

    public void Dispose()
    {
        foreach (var registration in registrations)
        {
            registration.Dispose();
        }

        asked.Dispose();
    }

    private void Receive(PosixSignalContext context)
    {
        context.Cancel = true;
        if (asked.IsCancellationRequested)
        {
            Environment.Exit(Impatient);
        }

        asked.Cancel();
    }
}
