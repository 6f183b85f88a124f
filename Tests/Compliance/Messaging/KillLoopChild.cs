using System.Globalization;
using LlmMarketplace.Embedded;
using LlmMarketplace.Messaging;
using LlmMarketplace.ServiceDefaults;
using LlmMarketplace.Storage;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace LlmMarketplace.Compliance.Messaging;

/// <summary>A service of the kill loop, as a process of its own: <c>producer</c> changes things without pause, <c>relay</c> only tells what was changed, <c>consumer</c> applies.</summary>
internal static class KillLoopChild
{
    public const string Argument = "kill-loop-child";
    public const string Producing = "producer";
    public const string Relaying = "relay";
    public const string Consuming = "consumer";
    private const int Keys = 20;
    private const int Changers = 4;

    /// <summary>Starts this executable again, in a role.</summary>
    public static Task<ChildProcess> StartAsync(World world, string role)
    {
        var consumer = role == Consuming;
        var (name, database) = consumer ? (world.ConsumerName, world.ConsumerDatabase) : (Producer.Name, world.ProducerDatabase);
        var settings = world.Identity.Settings.Concat(world.Settings).Concat(
        [
            new("Child:Name", name),
            new("Child:Topic", world.Topic),
            new("Child:Address", consumer ? "http://127.0.0.1:0" : world.ProducerAddress),
            new($"ConnectionStrings:{name}", database.AppConnectionString),
            new($"ConnectionStrings:{name}-owner", database.OwnerConnectionString),
        ]);
        var host = Environment.ProcessPath!;
        return ChildProcess.StartAsync(new()
        {
            FileName = host,
            Arguments = Path.GetFileNameWithoutExtension(host) == "dotnet" ? [typeof(KillLoopChild).Assembly.Location, Argument, role] : [Argument, role],
            Environment = settings.ToDictionary(setting => setting.Key.Replace(":", "__", StringComparison.Ordinal), setting => setting.Value),
        });
    }

    public static async Task<int> RunAsync(string role)
    {
        var builder = WebApplication.CreateBuilder();
        var child = builder.Configuration.GetSection("Child");
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls(child["Address"]!);
        builder.AddServiceDefaults(child["Name"]!);
        if (role == Consuming)
        {
            Consumer.Add(builder, child["Name"]!, child["Topic"]!, TopicKind.Log, new Behaviour());
        }
        else
        {
            Producer.Add(builder, child["Topic"]!, TopicKind.Log);
        }

        builder.AddBackingClients();
        await using var app = builder.Build();
        app.MapServiceDefaults();
        app.MapMessaging();
        await app.Services.MigrateDatabasesAsync();
        await app.StartAsync();
        if (role == Producing)
        {
            await Task.WhenAll(Enumerable.Range(0, Changers).Select(_ => ChangeForEverAsync(app.Services)));
        }

        await app.WaitForShutdownAsync();
        return 0;
    }

    private static async Task ChangeForEverAsync(IServiceProvider services)
    {
        while (true)
        {
            try
            {
                var key = Guid.Parse(string.Create(CultureInfo.InvariantCulture, $"00000000-0000-7000-8000-{Random.Shared.Next(Keys):D12}"));
                await Producer.ChangeAsync(services, key, rollBack: Random.Shared.Next(10) == 0);
            }
            catch (Exception e) when (e is Npgsql.NpgsqlException or InvalidOperationException or Microsoft.EntityFrameworkCore.DbUpdateException)
            {
                // The database was killed: whether the change was committed, it knows.
            }

            await Task.Delay(100);
        }
    }
}
