using LlmMarketplace.Publishing.Pipeline;
using Microsoft.Extensions.DependencyInjection;

namespace LlmMarketplace.Publishing.Tests.Pipeline;

/// <summary>A step that a later release may add: does what a test says, and remembers what was done.</summary>
internal sealed class ScriptedStep(string name, Func<int, Task<StepOutcome>> run) : ICompensatedStep
{
    private int ran;
    private int compensated;

    public string Name => name;

    public int Ran => Volatile.Read(ref ran);

    public int Compensated => Volatile.Read(ref compensated);

    /// <summary>Called with the number of the compensation, before it counts.</summary>
    public Action<int> OnCompensate { get; init; } = _ => { };

    public Task<StepOutcome> RunAsync(PipelineContext context, CancellationToken cancellationToken) => run(Interlocked.Increment(ref ran));

    public Task CompensateAsync(PipelineContext context, CancellationToken cancellationToken)
    {
        OnCompensate(Interlocked.Increment(ref compensated));
        return Task.CompletedTask;
    }

    public static ScriptedStep Succeeds(string name, Action<int>? onCompensate = null) =>
        new(name, _ => Task.FromResult<StepOutcome>(new StepOutcome.Succeeded("Done."))) { OnCompensate = onCompensate ?? (_ => { }) };

    /// <summary>Puts steps before the last one, which publishes.</summary>
    public static void Insert(IServiceCollection services, params ScriptedStep[] steps)
    {
        var last = services.Last(service => service.ServiceType == typeof(IPipelineStep));
        services.Remove(last);
        foreach (var step in steps)
        {
            services.AddSingleton<IPipelineStep>(step);
        }

        services.Add(last);
    }
}
