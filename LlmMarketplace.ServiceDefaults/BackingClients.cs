using System.Reflection;
using LlmMarketplace.Storage;
using Microsoft.AspNetCore.Builder;
using Microsoft.EntityFrameworkCore;
using StackExchange.Redis;
using StackExchange.Redis.Configuration;

namespace LlmMarketplace.ServiceDefaults;

/// <summary>
/// The clients of the backing servers that a service declared. Two files implement it, and a build takes one: <c>BackingClients.Aspire.cs</c> (the Aspire client packages) or
/// <c>BackingClients.Plain.cs</c> (the libraries they are made of); both register the same clients under the same names, with the same settings and health checks.
/// </summary>
public static partial class BackingClients
{
    /// <summary>
    /// Adds what the service declared: its databases and Redis. Call it after the service's own Add. A <see cref="Tunnel"/> that is registered as an instance is the way to Redis then, instead of a socket.
    /// </summary>
    public static WebApplicationBuilder AddBackingClients(this WebApplicationBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        var addDatabase = typeof(BackingClients).GetMethod(nameof(AddDatabase), BindingFlags.NonPublic | BindingFlags.Static)!;
        foreach (var database in Declared<DatabaseDeclaration>(builder))
        {
            addDatabase.MakeGenericMethod(database.Context).Invoke(null, [builder]);
        }

        foreach (var redis in Declared<RedisDeclaration>(builder).Distinct().ToList())
        {
            AddRedis(builder, redis.Name);
        }

        return builder;
    }

    private static void SetUp(WebApplicationBuilder builder, ConfigurationOptions options)
    {
        options.Tunnel = Declared<Tunnel>(builder).SingleOrDefault() ?? options.Tunnel;
        options.AbortOnConnectFail = false;
        options.SocketManager = SocketManager.ThreadPool; // Threads of its own would be one more hand-over for each answer.
    }

    private static List<T> Declared<T>(WebApplicationBuilder builder) =>
        [.. builder.Services.Where(service => service.ServiceType == typeof(T)).Select(service => service.ImplementationInstance).OfType<T>()];

    private static partial void AddDatabase<TContext>(WebApplicationBuilder builder)
        where TContext : DbContext;

    private static partial void AddRedis(WebApplicationBuilder builder, string name);
}
