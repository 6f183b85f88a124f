using System.Collections.Concurrent;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging;

namespace LlmMarketplace.Gateway.Tests;

/// <summary>A real server behind the gateway: writes down everything that reaches it, and answers what the test says.</summary>
public sealed class RecordedService : IAsyncDisposable
{
    private readonly WebApplication app;

    private RecordedService(string name, string address)
    {
        Name = name;
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls(address);
        app = builder.Build();
        app.UseWebSockets();
        app.Run(async context =>
        {
            var raw = context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget;
            Received.Enqueue(new(context.Request.Method, raw, context.Request.Headers.ToDictionary(header => header.Key, header => header.Value.ToString(), StringComparer.OrdinalIgnoreCase)));
            await Answer(context);
        });
    }

    public string Name { get; }

    public string Address => app.Urls.First();

    public ConcurrentQueue<ReceivedRequest> Received { get; } = new();

    public RequestDelegate Answer { get; set; } = Plain;

    public static Task Plain(HttpContext context) => context.Response.WriteAsJsonAsync(new { status = "healthy" });

    public static async Task<RecordedService> StartAsync(string name, string address = "http://127.0.0.1:0")
    {
        var service = new RecordedService(name, address);
        await service.app.StartAsync();
        return service;
    }

    public async ValueTask DisposeAsync()
    {
        using var now = new CancellationTokenSource(TimeSpan.Zero);
        await app.StopAsync(now.Token);
        await app.DisposeAsync();
    }
}

public sealed record ReceivedRequest(string Method, string Target, IReadOnlyDictionary<string, string> Headers);
