using System.Text.Json;
using System.Text.Json.Serialization;

namespace LlmMarketplace.ApiConventions;

/// <summary>The one JSON dialect of every REST endpoint and event: camelCase, enums by their wire names, unknown members ignored (in events and answers; bodies of requests are refused for them).</summary>
public static class Json
{
    /// <summary>Shared, read-only options.</summary>
    public static JsonSerializerOptions Options { get; } = Make(JsonUnmappedMemberHandling.Skip);

    /// <summary>The same for parts of a request that are read one by one: an unknown member is a <see cref="JsonException"/>.</summary>
    public static JsonSerializerOptions StrictOptions { get; } = Make(JsonUnmappedMemberHandling.Disallow);

    /// <summary>Brings <paramref name="options"/> to this dialect.</summary>
    public static void Configure(JsonSerializerOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.PropertyNamingPolicy = JsonNamingPolicy.CamelCase;
        options.DictionaryKeyPolicy = null;
        options.DefaultIgnoreCondition = JsonIgnoreCondition.Never;
        options.NumberHandling = JsonNumberHandling.Strict;
        options.AllowDuplicateProperties = false;
        options.Converters.Add(new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower, allowIntegerValues: false));
    }

    private static JsonSerializerOptions Make(JsonUnmappedMemberHandling unknown)
    {
        var options = new JsonSerializerOptions(JsonSerializerDefaults.Web) { UnmappedMemberHandling = unknown };
        Configure(options);
        options.MakeReadOnly(populateMissingResolver: true);
        return options;
    }
}
