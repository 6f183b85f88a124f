using System.Net.Http.Json;
using LlmMarketplace.Consumption.ResponseCache;
using LlmMarketplace.Servers;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.ResponseCache;

/// <summary>Response caches as tests switch them on and look into them.</summary>
internal static class Caching
{
    public const string Setting = "/api/v1/response-cache";

    /// <summary>Switches an organisation's cache on, and waits until calls know it.</summary>
    public static async Task CacheAsync(this Marketplace marketplace, Member member, params TestService[] others)
    {
        var answer = await member.Client.PutAsJsonAsync(Setting, new { timeToLiveSeconds = 3_600 });
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
        await Until.TrueAsync(() => others.Prepend(marketplace.Service).All(instance => instance.App.Services.GetRequiredService<OptedIn<CachePolicy>>().Of(member.Id) is not null));
    }

    /// <summary>The calls whose answers are kept.</summary>
    public static async Task<Guid[]> CachedAsync(this Marketplace marketplace, Member member)
    {
        await using var database = NpgsqlDataSource.Create(marketplace.Database.SuperuserConnectionString);
        await using var query = database.CreateCommand("SELECT coalesce(array_agg(call_id ORDER BY created_at), '{}') FROM cached_answers WHERE organisation_id = $1");
        query.Parameters.Add(new() { Value = member.Id });
        return (Guid[])(await query.ExecuteScalarAsync())!;
    }

    /// <summary>Waits until so many answers are kept.</summary>
    public static Task KeptAsync(this Marketplace marketplace, Member member, int count = 1) => Until.TrueAsync(async () => (await marketplace.CachedAsync(member)).Length == count);
}
